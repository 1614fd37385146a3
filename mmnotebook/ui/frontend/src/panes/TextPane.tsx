// The pipeline's text: typed text is sent to Python, and the text from Python is shown.

import { memo, useEffect, useId, useMemo, useState } from "react";

import { useBuilder, useNow } from "../bridge";
import type { Problem } from "../scene";
import { Icon } from "./icons";
import { copied } from "./insertCell";
import { pieces } from "./marks";
import { Typing } from "./typing";

const ROWS = { least: 4, most: 12 };

export const TextPane = memo(function TextPane() {
  const { name, text, textProblems } = useBuilder((builder) => builder.scene);
  const now = useNow();
  const { send } = now();
  const [draft, setDraft] = useState<string | null>(null);
  const typing = useMemo(() => new Typing(send, setDraft), [send]);
  useEffect(() => typing.flush, [typing]);
  const shown = draft ?? text;
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
              // biome-ignore lint/suspicious/noArrayIndexKey: the number identifies the line.
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
            // biome-ignore lint/suspicious/noArrayIndexKey: the same problem may occur twice.
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

/** A transparent copy of the text behind it, which underlines the problems. */
function Marks(props: { text: string; problems: readonly Problem[]; top: number; left: number }) {
  const { text, problems, top, left } = props;
  if (problems.length === 0) return null;
  return (
    <div className="mm-marks" aria-hidden="true">
      <pre style={{ transform: `translate(${-left}px, ${-top}px)` }}>
        {pieces(text, problems).map((piece, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: the place identifies the piece.
          <span key={index} className={piece.wrong ? "mm-mark" : undefined}>
            {piece.text}
          </span>
        ))}
      </pre>
    </div>
  );
}

function CopyText({ text }: { text: string }) {
  const now = useNow();
  const copy = async () => {
    const done = await copied(text);
    if (done) now().notify("The text is copied");
    else
      now().notify(
        "The browser does not allow copying here: select the text and press Ctrl+C",
        "error",
      );
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
