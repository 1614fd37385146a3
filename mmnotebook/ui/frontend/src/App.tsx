// The builder: the toolbar, the palette and the canvas, and below them the text and the problems.

import type { ClipboardEvent, KeyboardEvent, PointerEvent } from "react";
import { useEffect, useRef, useState } from "react";

import { perform } from "./actions";
import type { Builder, Model } from "./bridge";
import { BuilderContext, useBridge, useBuilder, useNow } from "./bridge";
import { Canvas } from "./canvas/Canvas";
import { clip, paste, remove } from "./commands";
import type { Where } from "./keyboard";
import { actionOf, FIELD, passes } from "./keyboard";
import { Help } from "./panes/Help";
import { insertCell } from "./panes/insertCell";
import { Palette } from "./panes/Palette";
import { Problems } from "./panes/Problems";
import { StatusLine } from "./panes/StatusLine";
import { TextPane } from "./panes/TextPane";
import { Toasts } from "./panes/Toasts";
import { Toolbar } from "./panes/Toolbar";
import { useStudio } from "./studio";

const LEAST = 220;
const MOST = 1600;
const STEP = 40;
/** Actions of browser events (copy, cut and paste), which can use the clipboard without permission. */
const CLIPBOARD = new Set(["copy", "cut", "paste"]);
const INSERTED = {
  inserted: "inserted as a cell below",
  copied: "copied: paste it into a cell",
  shown: null,
};

export function App({ model }: { model: Model }) {
  return (
    <BuilderContext value={useBridge(model)}>
      <Page />
    </BuilderContext>
  );
}

function Page() {
  const view = useBuilder((builder) => builder.view);
  const height = useBuilder((builder) => builder.height);
  const now = useNow();
  const { root, onMessage, notify } = now();
  useStudio(now());

  useEffect(
    () =>
      onMessage((message) => {
        if (message.type !== "cell" || root.current === null) return;
        void insertCell(root.current, message.text).then((how) => {
          const text = INSERTED[how];
          if (text !== null) notify(text);
        });
      }),
    [root, onMessage, notify],
  );

  return (
    <>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: it handles the keys of all elements in it. */}
      <div
        className="mm-builder"
        ref={(element) => {
          root.current = element;
        }}
        onKeyDown={(event) => onKeyDown(now(), event)}
        onCopy={(event) => onCopy(now(), event)}
        onCut={(event) => onCopy(now(), event)}
        onPaste={(event) => onPaste(now(), event)}
      >
        <Toolbar />
        <div className="mm-main" style={{ height }}>
          {view.palette && (
            <div className="mm-side">
              <Palette />
            </div>
          )}
          <div className="mm-middle">
            <Canvas />
            <Toasts level="info" />
          </div>
        </div>
        <Toasts level="error" />
        <div className="mm-divide">
          <StatusLine />
          <Grip />
          <Fold />
        </div>
        {view.text && (
          <div className="mm-below">
            <div className="mm-below-text">
              <TextPane />
            </div>
            <div className="mm-below-problems">
              <Problems />
            </div>
          </div>
        )}
        <Help />
        <Live />
      </div>
    </>
  );
}

/** Shows or hides the text and the problems. */
function Fold() {
  const isOpen = useBuilder((builder) => builder.view.text);
  const now = useNow();
  const title = `${isOpen ? "Hide" : "Show"} the text and the problems`;
  return (
    <button
      type="button"
      className="mm-fold"
      aria-expanded={isOpen}
      aria-label={title}
      title={title}
      onClick={() => now().adjust({ text: !isOpen })}
    >
      <svg viewBox="0 0 16 16" width="11" height="11" aria-hidden="true">
        <path d={isOpen ? "M3 5.5 8 10.5l5-5" : "M3 10.5 8 5.5l5 5"} />
      </svg>
    </button>
  );
}

/** The lower edge of the canvas: moved by dragging, or with the arrow keys. */
function Grip() {
  const start = useRef<{ y: number; height: number } | null>(null);
  const height = useBuilder((builder) => builder.height);
  const now = useNow();
  const set = (to: number) => now().resize(Math.round(Math.max(LEAST, Math.min(MOST, to))));
  function onPointerDown(event: PointerEvent<HTMLDivElement>): void {
    event.currentTarget.setPointerCapture(event.pointerId);
    start.current = { y: event.clientY, height };
  }
  function onPointerMove(event: PointerEvent): void {
    if (start.current !== null) set(start.current.height + event.clientY - start.current.y);
  }
  function onKeyDown(event: KeyboardEvent): void {
    const by = { ArrowUp: -STEP, ArrowDown: STEP }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    set(height + by);
  }
  return (
    <div
      className="mm-grip"
      role="separator"
      aria-orientation="horizontal"
      aria-label="Height of the canvas"
      aria-valuenow={height}
      aria-valuemin={LEAST}
      aria-valuemax={MOST}
      tabIndex={0}
      onPointerDown={onPointerDown}
      onPointerMove={onPointerMove}
      onPointerUp={() => {
        start.current = null;
      }}
      onPointerCancel={() => {
        start.current = null;
      }}
      onKeyDown={onKeyDown}
    />
  );
}

/** The live region for screen readers; two elements alternate, so that the same text is read again. */
function Live() {
  const announcement = useBuilder((builder) => builder.announcement);
  const [lines, setLines] = useState(["", ""]);
  useEffect(() => {
    if (announcement !== null)
      setLines(announcement.number % 2 === 0 ? [announcement.text, ""] : ["", announcement.text]);
  }, [announcement]);
  return (
    <div className="mm-hidden mm-live" role="status" aria-live="polite">
      <span>{lines[0]}</span>
      <span>{lines[1]}</span>
    </div>
  );
}

function whereOf(builder: Builder, target: EventTarget): Where {
  const element = target instanceof Element ? target : null;
  const connecting = builder.canvas.current?.isConnecting() ?? false;
  if (element?.closest(FIELD)) return { at: "field", connecting };
  const isControl = !element?.closest(".mm-canvas") || element.closest("button") !== null;
  return { at: isControl ? "control" : "canvas", connecting };
}

function onKeyDown(builder: Builder, event: KeyboardEvent): void {
  const where = whereOf(builder, event.target);
  const id = event.defaultPrevented ? null : actionOf(event, where);
  if (id === null) {
    if (!passes(event, where.at)) event.stopPropagation();
    return;
  }
  event.stopPropagation();
  if (CLIPBOARD.has(id)) return;
  event.preventDefault();
  perform(builder, id);
}

const isForCanvas = (builder: Builder, event: ClipboardEvent) =>
  whereOf(builder, event.target).at !== "field" && (getSelection()?.isCollapsed ?? true);

function onCopy(builder: Builder, event: ClipboardEvent): void {
  if (!isForCanvas(builder, event)) return;
  const text = clip(builder);
  if (text === null) return;
  event.clipboardData.setData("text/plain", text);
  event.preventDefault();
  event.stopPropagation();
  if (event.type === "cut") remove(builder);
}

function onPaste(builder: Builder, event: ClipboardEvent): void {
  if (!isForCanvas(builder, event)) return;
  event.preventDefault();
  event.stopPropagation();
  paste(builder, event.clipboardData.getData("text/plain"));
}
