import assert from "node:assert/strict";
import { test } from "node:test";

import { ACTIONS, action } from "../src/actions";
import { actionOf, type Pressed, passes, type Where } from "../src/keyboard";
import { shownTogether } from "../src/panes/Help";

const CANVAS: Where = { at: "canvas", connecting: false };

/** "Ctrl+Shift+z" as a key event. */
function pressed(keys: string): Pressed {
  const parts = keys.split("+").filter(Boolean);
  const has = (name: string) => parts.slice(0, -1).includes(name);
  const last = keys.endsWith("+") ? "+" : (parts.at(-1) ?? "");
  return {
    key: has("Shift") && /^[a-z]$/.test(last) ? last.toUpperCase() : last,
    ctrlKey: has("Ctrl"),
    metaKey: has("Meta"),
    altKey: has("Alt"),
    shiftKey: has("Shift"),
  };
}

const does = (keys: string, where: Where = CANVAS) => actionOf(pressed(keys), where);

test("keys on the canvas", () => {
  const expected = {
    r: "run",
    "Shift+r": "run_to_here",
    d: "delete",
    Delete: "delete",
    Backspace: "delete",
    a: "search",
    f: "fit",
    l: "arrange",
    c: "connect",
    t: "text",
    "?": "help",
    "Shift+?": "help",
    "+": "zoom_in",
    "-": "zoom_out",
    Enter: "open",
    Escape: "deselect",
    ArrowRight: "walk_right",
    ArrowUp: "walk_up",
    "Alt+ArrowLeft": "nudge_left",
    "Alt+Shift+ArrowDown": "push_down",
    "Ctrl+z": "undo",
    "Ctrl+Shift+z": "redo",
    "Ctrl+y": "redo",
    "Ctrl+c": "copy",
    "Ctrl+x": "cut",
    "Ctrl+v": "paste",
    "Ctrl+d": "duplicate",
    "Ctrl+a": "select_all",
  };
  for (const [keys, id] of Object.entries(expected)) assert.equal(does(keys), id, keys);
  for (const keys of ["q", "Ctrl+q", "Alt+r", "Ctrl+Alt+c", "Tab", " "])
    assert.equal(does(keys), null);
});

test("a Mac's Command key is its Ctrl", () => {
  for (const key of ["z", "Shift+z", "c", "x", "v", "d", "a"]) {
    assert.notEqual(does(`Meta+${key}`), null);
    assert.equal(does(`Meta+${key}`), does(`Ctrl+${key}`), key);
  }
});

test("what is typed into a field is the field's", () => {
  for (const keys of ["r", "d", "Backspace", "Ctrl+z", "Ctrl+c", "Ctrl+v", "ArrowLeft", "?"]) {
    assert.equal(does(keys, { at: "field", connecting: false }), null, keys);
  }
});

test("a button keeps its own keys, and undo works from there", () => {
  const control: Where = { at: "control", connecting: false };
  for (const keys of ["Enter", " ", "ArrowLeft", "d"]) assert.equal(does(keys, control), null);
  assert.equal(does("Ctrl+z", control), "undo");
  assert.equal(does("?", control), "help");
});

test("while connecting, keys choose, accept and leave", () => {
  const connecting: Where = { at: "canvas", connecting: true };
  assert.equal(does("ArrowDown", connecting), "connecting_next");
  assert.equal(does("Tab", connecting), "connecting_next");
  assert.equal(does("Shift+Tab", connecting), "connecting_previous");
  assert.equal(does("Enter", connecting), "connecting_accept");
  assert.equal(does("Escape", connecting), "connecting_leave");
  assert.equal(does("r", connecting), null);
});

test("the notebook around sees no plain key, so that d d deletes no cell", () => {
  for (const at of ["canvas", "control", "field"] as const) {
    for (const keys of ["d", "x", "b", "Enter", "Escape", "ArrowUp"]) {
      assert.equal(passes(pressed(keys), at), false, keys);
    }
    for (const keys of ["Ctrl+s", "Meta+s"]) {
      assert.equal(passes(pressed(keys), at), true, keys);
    }
  }
  for (const keys of ["Shift+Enter", "Ctrl+Enter", "Alt+Enter"]) {
    assert.equal(passes(pressed(keys), "canvas"), true, keys);
  }
});

test("what edits a field is not the notebook's to undo, select or run", () => {
  const edits = ["Ctrl+z", "Ctrl+Shift+z", "Meta+z", "Ctrl+y", "Ctrl+a", "Ctrl+Backspace"];
  for (const keys of [...edits, "Ctrl+ArrowLeft", "Ctrl+Enter", "Shift+Enter", "Ctrl+Control"]) {
    assert.equal(passes(pressed(keys), "field"), false, keys);
  }
});

test("every key that the help tells does that", () => {
  const names: { [shown: string]: string } = {
    "←": "ArrowLeft",
    "→": "ArrowRight",
    "↑": "ArrowUp",
    "↓": "ArrowDown",
  };
  let count = 0;
  for (const { id, keys } of ACTIONS) {
    for (const shown of keys) {
      const last = Object.keys(names).find((arrow) => shown.endsWith(arrow));
      const key = last === undefined ? shown : shown.replace(last, names[last] as string);
      const plain = key.replace(/(^|\+)([A-Z])$/, (_, plus, letter) => plus + letter.toLowerCase());
      assert.equal(does(plain), id, shown);
      count += 1;
    }
  }
  assert.ok(count > 30);
});

test("every action that a key asks for is there", () => {
  for (const key of "abcdefghijklmnopqrstuvwxyz?+-".split("")) {
    for (const prefix of ["", "Shift+", "Ctrl+", "Ctrl+Shift+"]) {
      const id = does(prefix + key);
      if (id !== null) assert.equal(action(id).id, id);
    }
  }
});

test("the help has one row for the four ways", () => {
  const rows = shownTogether(ACTIONS.filter(({ group }) => group === "Walk"));
  assert.equal(rows.length, 4);
  for (const { title, keys } of rows) {
    assert.match(keys.join(), /^(Alt\+)?(Shift\+)?← → ↑ ↓$/);
    assert.match(title, /in this direction/);
    assert.doesNotMatch(title, /left|right|up|down/);
  }
  assert.deepEqual(shownTogether([{ id: "fit", title: "Fit", keys: ["F"] }]), [
    { title: "Fit", keys: ["F"] },
  ]);
});
