// The pipeline's text, live both ways: what is typed goes to Python, what Python has is shown.

import { memo, useEffect, useId, useMemo, useRef, useState } from "react";

import { type Builder, useBuilder } from "./bridge";
import { Icon } from "./icons";
import { copied } from "./insertCell";
import { pieces } from "./marks";
import type { Problem } from "./scene";

const WAIT_MS = 300;
const ROWS = { least: 4, most: 12 };

export const TextPane = memo(function TextPane() {
  const builder = useBuilder();
  const { name, text, textProblems } = builder.scene;
  const typing = useTyping(builder);
  const shown = typing.draft ?? text;
  return (
    <section className="mm-text" aria-label="Pipeline text">
      <header className="mm-pane-head">
        <h3>Pipeline text</h3>
        {name !== null && <span className="mm-pane-name">{name}</span>}
        <CopyText text={shown} />
      </header>
      <Editor
        text={shown}
        problems={textProblems}
        onFocus={typing.begin}
        onType={typing.type}
        onBlur={typing.end}
      />
    </section>
  );
});

/**
 * What is typed and not Python's yet.
 *
 * As long as the text has the focus it is the user's: Python's answer, which may be written in
 * another way, neither replaces it nor moves the caret. It is sent when the typing rests.
 */
function useTyping({ now }: Builder) {
  const [draft, setDraft] = useState<string | null>(null);
  const waiting = useRef<{ text: string; timer: number } | null>(null);
  const gesture = useRef("");
  const typing = useMemo(() => {
    const flush = () => {
      if (waiting.current === null) return;
      clearTimeout(waiting.current.timer);
      now().send({ op: "text", text: waiting.current.text, gesture: gesture.current });
      waiting.current = null;
    };
    return {
      flush,
      begin: () => {
        gesture.current = `text-${Math.random().toString(36).slice(2)}`;
      },
      type: (text: string) => {
        if (waiting.current !== null) clearTimeout(waiting.current.timer);
        waiting.current = { text, timer: window.setTimeout(flush, WAIT_MS) };
        setDraft(text);
      },
      end: () => {
        flush();
        setDraft(null);
      },
    };
  }, [now]);
  useEffect(() => typing.flush, [typing]);
  return { draft, ...typing };
}

interface EditorProps {
  text: string;
  problems: readonly Problem[];
  onFocus: () => void;
  onType: (text: string) => void;
  onBlur: () => void;
}

const Editor = memo(function Editor({ text, problems, onFocus, onType, onBlur }: EditorProps) {
  const [scroll, setScroll] = useState({ top: 0, left: 0 });
  const id = useId();
  const lines = text.split("\n");
  const wrong = new Set(problems.map((problem) => problem.line));
  const rows = Math.min(ROWS.most, Math.max(ROWS.least, lines.length + 1));
  const isWrong = problems.length > 0;
  return (
    <>
      <div className={`mm-editor${isWrong ? " mm-editor-wrong" : ""}`}>
        <div className="mm-lines" aria-hidden="true">
          <div style={{ transform: `translateY(${-scroll.top}px)` }}>
            {lines.map((_, index) => (
              <div key={index} className={wrong.has(index + 1) ? "mm-line-wrong" : undefined}>
                {index + 1}
              </div>
            ))}
          </div>
        </div>
        <div className="mm-editor-text">
          <Marks text={text} problems={problems} {...scroll} />
          <textarea
            aria-label="Pipeline text"
            aria-invalid={isWrong}
            aria-describedby={isWrong ? id : undefined}
            aria-keyshortcuts="T"
            value={text}
            rows={rows}
            wrap="off"
            spellCheck={false}
            autoCapitalize="off"
            autoComplete="off"
            autoCorrect="off"
            placeholder={'digits["x"] | [mlp, tree] | vote()'}
            onFocus={onFocus}
            onBlur={onBlur}
            onChange={(event) => onType(event.target.value)}
            onScroll={({ currentTarget: { scrollTop: top, scrollLeft: left } }) =>
              setScroll({ top, left })
            }
          />
        </div>
      </div>
      {isWrong && (
        <ul id={id} className="mm-text-problems">
          {problems.map((problem, index) => (
            <li key={index}>
              {problem.line !== null && <span>line {problem.line}: </span>}
              {problem.message}
            </li>
          ))}
        </ul>
      )}
    </>
  );
});

/** A copy of the text beneath it, transparent but for the lines under what is wrong. */
function Marks(props: { text: string; problems: readonly Problem[]; top: number; left: number }) {
  const { text, problems, top, left } = props;
  if (problems.length === 0) return null;
  return (
    <div className="mm-marks" aria-hidden="true">
      <pre style={{ transform: `translate(${-left}px, ${-top}px)` }}>
        {pieces(text, problems).map((piece, index) => (
          <span key={index} className={piece.wrong ? "mm-mark" : undefined}>
            {piece.text}
          </span>
        ))}
      </pre>
    </div>
  );
}

function CopyText({ text }: { text: string }) {
  const { now } = useBuilder();
  const copy = async () => {
    const done = await copied(text);
    if (done) now().say("The text is copied");
    else now().say("The browser lets nothing be copied here: select the text and press Ctrl+C", "error");
  };
  return (
    <button
      type="button"
      className="mm-tool"
      title="Copy the text"
      aria-label="Copy the text"
      aria-disabled={text === ""}
      onClick={() => text !== "" && void copy()}
    >
      <Icon name="copy" />
    </button>
  );
}
