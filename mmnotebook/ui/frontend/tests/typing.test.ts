import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Typing } from "../src/panes/typing";
import type { Command } from "../src/scene";

let sent: (Command & { op: "text" })[];
let shown: (string | null)[];
let typing: Typing;
let clock: number;
let waiting: { at: number; work: () => void }[];

function later(work: () => void, ms: number): () => void {
  const entry = { at: clock + ms, work };
  waiting.push(entry);
  return () => {
    waiting = waiting.filter((other) => other !== entry);
  };
}

function pass(ms: number): void {
  clock += ms;
  const due = waiting.filter(({ at }) => at <= clock);
  waiting = waiting.filter(({ at }) => at > clock);
  for (const { work } of due) work();
}

beforeEach(() => {
  [sent, shown, waiting, clock] = [[], [], [], 0];
  typing = new Typing(
    (command) => sent.push(command as Command & { op: "text" }),
    (draft) => shown.push(draft),
    later,
  );
});

const texts = () => sent.map((command) => command.text);

test("what is typed is shown at once and sent when the typing rests", () => {
  typing.begin();
  typing.type("a");
  pass(200);
  typing.type("ab");
  pass(299);
  assert.deepEqual(texts(), []);
  pass(1);
  assert.deepEqual(texts(), ["ab"]);
  assert.deepEqual(shown, ["a", "ab"]);
});

test("leaving sends what waits, once, and shows Python's text", () => {
  typing.begin();
  typing.type("a");
  typing.end();
  pass(1000);
  assert.deepEqual(texts(), ["a"]);
  assert.deepEqual(shown, ["a", null]);
});

test("leaving an untouched text sends nothing", () => {
  typing.begin();
  typing.end();
  assert.deepEqual(texts(), []);
});

test("what is typed from one focus to the next is one gesture", () => {
  typing.begin();
  typing.type("a");
  pass(300);
  typing.type("ab");
  typing.end();
  typing.begin();
  typing.type("abc");
  typing.end();
  const [one, two, three] = sent.map((command) => command.gesture);
  assert.equal(one, two);
  assert.notEqual(two, three);
});
