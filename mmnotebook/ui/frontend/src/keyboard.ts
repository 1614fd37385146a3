// The mapping from keys to actions. Pure functions, without access to the document.
import type { ActionId, Way } from "./action";

export interface Pressed {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  shiftKey: boolean;
}

export interface Where {
  /** What has the focus: the canvas or a node, an input field, or another control. */
  at: "canvas" | "field" | "control";
  /** Whether a wire is being connected by keyboard. */
  connecting: boolean;
}

/** The selector of input fields. */
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

/** Return the action of a key; null for none. */
export function actionOf(pressed: Pressed, where: Where): ActionId | null {
  if (where.at === "field") return null;
  const key = pressed.key.toLowerCase();
  const ctrl = pressed.ctrlKey || pressed.metaKey; // Command on a Mac
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

/** Keys that a field handles with Ctrl, and Ctrl itself; the notebook would prevent undo in the field. */
const EDITS = /^([acvxyz]|enter|backspace|delete|home|end|arrow.*|control|meta|alt)$/;

/** Whether the notebook may receive this key; its shortcuts must not act on plain keys. */
export function passes(pressed: Pressed, at: Where["at"]): boolean {
  const isPlain = !pressed.ctrlKey && !pressed.metaKey && !pressed.altKey;
  if (at === "field") return !isPlain && !EDITS.test(pressed.key.toLowerCase());
  return !isPlain || (pressed.shiftKey && pressed.key === "Enter");
}
