// From a key to what it does. Pure: it knows no document.
import type { ActionId, Way } from "./action";

export interface Pressed {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  shiftKey: boolean;
}

export interface Where {
  /** What has the focus: the canvas with its nodes, a field that is typed into, another control. */
  at: "canvas" | "field" | "control";
  /** Is a wire being connected by keyboard? */
  connecting: boolean;
}

/** What is typed into. */
export const FIELD = "input, textarea, select, [contenteditable]:not([contenteditable='false'])";

const WAYS: { [key: string]: Way } = {
  ArrowLeft: "left",
  ArrowRight: "right",
  ArrowUp: "up",
  ArrowDown: "down",
};
const PLAIN: { [key: string]: ActionId } = {
  a: "search",
  c: "connect",
  d: "delete",
  delete: "delete",
  backspace: "delete",
  enter: "open",
  escape: "deselect",
  f: "fit",
  l: "arrange",
  m: "minimap",
  r: "run",
  t: "text",
  "+": "zoom_in",
  "=": "zoom_in",
  "-": "zoom_out",
  "−": "zoom_out",
  "?": "help",
};
const WITH_SHIFT: { [key: string]: ActionId } = { r: "run_to_here", "?": "help", "+": "zoom_in" };
const WITH_CTRL: { [key: string]: ActionId } = {
  a: "select_all",
  c: "copy",
  d: "duplicate",
  v: "paste",
  x: "cut",
  y: "redo",
  z: "undo",
};
const CONNECTING: { [key: string]: ActionId } = {
  arrowup: "connecting_previous",
  arrowleft: "connecting_previous",
  arrowdown: "connecting_next",
  arrowright: "connecting_next",
  enter: "connecting_accept",
  " ": "connecting_accept",
  delete: "connecting_disconnect",
  backspace: "connecting_disconnect",
  d: "connecting_disconnect",
  escape: "connecting_leave",
};

/** What a key does there; null for nothing. */
export function actionOf(pressed: Pressed, where: Where): ActionId | null {
  if (where.at === "field") return null;
  const key = pressed.key.toLowerCase();
  const ctrl = pressed.ctrlKey || pressed.metaKey; // a Mac's Command key is its Ctrl
  if (ctrl && pressed.altKey) return null;
  if (ctrl) {
    if (pressed.shiftKey) return key === "z" ? "redo" : null;
    return WITH_CTRL[key] ?? null;
  }
  if (where.at === "control") return key === "?" ? "help" : null;
  if (where.connecting) {
    if (key === "tab") return pressed.shiftKey ? "connecting_previous" : "connecting_next";
    return pressed.altKey ? null : (CONNECTING[key] ?? null);
  }
  const way = WAYS[pressed.key];
  if (way !== undefined && pressed.altKey) return pressed.shiftKey ? `push_${way}` : `nudge_${way}`;
  if (way !== undefined) return pressed.shiftKey ? `extend_${way}` : `walk_${way}`;
  if (pressed.altKey) return null;
  return (pressed.shiftKey ? WITH_SHIFT[key] : PLAIN[key]) ?? null;
}

/** With Ctrl these are a field's own too, and Ctrl itself: the notebook would keep its undo back. */
const EDITS = /^([acvxyz]|enter|backspace|delete|home|end|arrow.*|control|meta|alt)$/;

/** May the notebook around the widget see this key? Its own shortcuts must not act on plain ones. */
export function passes(pressed: Pressed, at: Where["at"]): boolean {
  const isPlain = !pressed.ctrlKey && !pressed.metaKey && !pressed.altKey;
  if (at === "field") return !isPlain && !EDITS.test(pressed.key.toLowerCase());
  return !isPlain || (pressed.shiftKey && pressed.key === "Enter");
}
