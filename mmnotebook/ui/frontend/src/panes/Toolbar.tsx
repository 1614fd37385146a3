// The toolbar: one tab stop; the arrow keys move between the buttons.

import { type FocusEvent, type KeyboardEvent, memo, type ReactNode, useState } from "react";
import type { ActionId } from "../action";
import { action, perform } from "../actions";
import { useBuilder, useNow } from "../bridge";
import { isRunning, showsMinimap } from "../commands";
import { Icon, type IconName } from "./icons";

const TOOLS = "[data-tool]";

interface ToolProps {
  id: ActionId;
  icon: IconName;
  /** The text next to the icon, if there is one. */
  text?: string;
  title?: string;
  pressed?: boolean;
  /** The id for the arrow keys, if the button replaces another one. */
  place?: string;
  isStop: boolean;
}

function Tool({ id, icon, text, title, pressed, place, isStop }: ToolProps) {
  const builder = useBuilder();
  const { title: named, keys, enabled } = action(id);
  const words = title ?? named;
  const hint = keys.length > 0 ? `${words} (${keys.join(" or ")})` : words;
  return (
    <button
      type="button"
      className={`mm-tool mm-tool-${id}${text === undefined ? "" : " mm-tool-named"}`}
      data-tool={place ?? id}
      tabIndex={isStop ? 0 : -1}
      title={hint}
      aria-label={words}
      aria-keyshortcuts={keys.map(shortcut).join(" ") || undefined}
      aria-pressed={pressed}
      // Not `disabled`, as the button would lose the focus when its action ends.
      aria-disabled={!enabled(builder)}
      onClick={() => perform(builder.now(), id)}
    >
      <Icon name={icon} />
      {text !== undefined && <span>{text}</span>}
    </button>
  );
}

/** Return a key in the form of aria-keyshortcuts. */
const shortcut = (key: string) => key.replace("Ctrl", "Control").replace("−", "-");

const ofUndo = (word: string, what: string | null) => (what === null ? word : `${word}: ${what}`);

export const Toolbar = memo(function Toolbar() {
  const builder = useBuilder();
  const { scene, view } = builder;
  const [stop, setStop] = useState("run");
  const tool = (id: ActionId, icon: IconName, about: Partial<ToolProps> = {}) => (
    <Tool key={id} id={id} icon={icon} isStop={stop === (about.place ?? id)} {...about} />
  );
  const remember = (event: FocusEvent<HTMLElement>) => {
    const name = event.target.closest<HTMLElement>(TOOLS)?.dataset.tool;
    if (name !== undefined) setStop(name);
  };
  return (
    <div
      className="mm-toolbar"
      role="toolbar"
      aria-label="Tools"
      onFocus={remember}
      onKeyDown={walk}
    >
      <Part label="Run">
        {isRunning(builder)
          ? tool("stop", "stop", { text: "Stop", place: "run" })
          : tool("run", "run", { text: "Run" })}
        {tool("run_to_here", "runTo")}
        <Limit />
        <Fresh isStop={stop === "fresh"} />
      </Part>
      <Part label="History">
        {tool("undo", "undo", { title: ofUndo("Undo", scene.undo) })}
        {tool("redo", "redo", { title: ofUndo("Redo", scene.redo) })}
      </Part>
      <Part label="Edit">
        {tool("copy", "copy")}
        {tool("paste", "paste")}
        {tool("duplicate", "duplicate")}
        {tool("delete", "remove")}
      </Part>
      <Part label="View">
        {tool("arrange", "arrange")}
        {tool("fit", "fit")}
        {tool("zoom_out", "zoomOut")}
        {tool("zoom_in", "zoomIn")}
        {tool("minimap", "minimap", { pressed: showsMinimap(builder) })}
        {tool("palette", "palette", { pressed: view.palette })}
      </Part>
      <Part label="Notebook">
        {tool("register", "model", { text: "New model…" })}
        {tool("insert", "cell", { text: "Insert as cell" })}
        {tool("help", "help")}
      </Part>
    </div>
  );
});

function Part({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div className="mm-tools" role="group" aria-label={label}>
      {children}
    </div>
  );
}

/** The arrow keys, Home and End focus another button; in the field, the field handles them. */
function walk(event: KeyboardEvent<HTMLElement>): void {
  if (!(event.target instanceof HTMLElement) || !event.target.matches(TOOLS)) return;
  const tools = [...event.currentTarget.querySelectorAll<HTMLElement>(TOOLS)];
  const at = tools.indexOf(event.target);
  const to = {
    ArrowLeft: at - 1,
    ArrowRight: at + 1,
    Home: 0,
    End: tools.length - 1,
  }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  tools.at(to % tools.length)?.focus();
}

/** The number of elements that a run uses. */
function Limit() {
  const limit = useBuilder((builder) => builder.view.limit);
  const now = useNow();
  const [typed, setTyped] = useState(limit === null ? "" : String(limit));
  const change = (text: string) => {
    setTyped(text);
    const number = Number(text);
    if (text.trim() === "") now().adjust({ limit: null });
    else if (Number.isInteger(number) && number > 0) now().adjust({ limit: number });
  };
  const isWrong = typed.trim() !== "" && !/^0*[1-9][0-9]*$/.test(typed.trim());
  return (
    <label className="mm-limit" title="How many elements of each source a run uses; empty: all">
      <span>Limit</span>
      <input
        inputMode="numeric"
        placeholder="all"
        value={typed}
        size={5}
        aria-invalid={isWrong}
        onChange={(event) => change(event.target.value)}
        onBlur={() => isWrong && setTyped(limit === null ? "" : String(limit))}
      />
    </label>
  );
}

function Fresh({ isStop }: { isStop: boolean }) {
  const fresh = useBuilder((builder) => builder.view.fresh);
  const now = useNow();
  return (
    <button
      type="button"
      className="mm-tool mm-tool-named"
      data-tool="fresh"
      tabIndex={isStop ? 0 : -1}
      aria-pressed={fresh}
      aria-label="Fresh: recompute everything"
      title="Fresh: the next runs recompute everything and read nothing from the cache"
      onClick={() => now().adjust({ fresh: !now().view.fresh })}
    >
      <Icon name="fresh" />
      <span>Fresh</span>
    </button>
  );
}
