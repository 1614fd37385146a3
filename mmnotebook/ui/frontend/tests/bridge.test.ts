// The canvas shows what a command makes of the scene at once, and Python's scene when it has come.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Bridge, type Model } from "../src/bridge";
import type { Scene } from "../src/scene";
import { node, sceneOf } from "./scenes";

const SCENE = sceneOf(
  {
    nodes: [node("digits", "source"), node("mlp", "model", [["digits", null]]), node("tree", "model")],
    groups: [],
  },
  { digits: [0, 0], mlp: [240, 0], tree: [240, 84] },
);

/** A widget's model without a kernel behind it. */
class Fake implements Model {
  readonly sent: any[] = [];
  readonly handlers = new Map<string, Set<(...given: any[]) => void>>();
  private readonly traits: { [name: string]: unknown } = { scene: SCENE, selection: [], height: 400 };
  get = (name: string) => this.traits[name];
  set = (name: string, value: unknown) => {
    this.traits[name] = value;
    this.fire(`change:${name}`);
  };
  save_changes = () => {};
  on = (event: string, handler: (...given: any[]) => void) => {
    this.handlers.set(event, (this.handlers.get(event) ?? new Set()).add(handler));
  };
  off = (event: string, handler: (...given: any[]) => void) => {
    this.handlers.get(event)?.delete(handler);
  };
  send = (content: unknown) => this.sent.push(content);
  fire(event: string, ...given: unknown[]) {
    for (const handler of this.handlers.get(event) ?? []) handler(...given);
  }
  /** Python's scene, with the last number of this view's commands that it has handled. */
  answers(scene: Partial<Scene>, view: string, seen: number) {
    this.set("scene", { ...SCENE, ...scene, seen: { [view]: seen } });
  }
}

let model: Fake;
let bridge: Bridge;
let end: () => void;

beforeEach(() => {
  model = new Fake();
  bridge = new Bridge(model);
  end = bridge.listen();
});

const builder = () => bridge.snapshot();
const place = (name: string) => {
  const found = builder().scene.nodes.find((each) => each.name === name);
  return [found?.x, found?.y];
};

test("a command is numbered, sent and shown at once", () => {
  builder().send({ op: "move", places: { mlp: [8, 16] } });
  builder().send({ op: "undo" });
  assert.deepEqual(place("mlp"), [8, 16]);
  assert.deepEqual(model.sent.map((message) => message.number), [1, 2]);
  assert.deepEqual(model.sent[0], {
    type: "command",
    view: bridge.id,
    number: 1,
    command: { op: "move", places: { mlp: [8, 16] } },
  });
});

test("what Python has not handled yet stays shown over its older scenes", () => {
  builder().send({ op: "move", places: { mlp: [8, 16] } });
  builder().send({ op: "move", places: { tree: [24, 32] } });
  model.answers({ revision: 2 }, bridge.id, 1);
  assert.deepEqual(place("mlp"), [240, 0], "the first is handled: as Python has it");
  assert.deepEqual(place("tree"), [24, 32]);
  model.answers({ revision: 3 }, bridge.id, 2);
  assert.deepEqual(place("tree"), [240, 84]);
});

test("what Python refuses is gone when it has answered", () => {
  builder().send({ op: "connect", source: "digits", port: null, target: "tree" });
  assert.equal(builder().scene.nodes[2]?.inputs.length, 1);
  model.answers({}, bridge.id, 1);
  assert.equal(builder().scene.nodes[2]?.inputs.length, 0);
});

test("another view's commands are not waited for", () => {
  builder().send({ op: "move", places: { mlp: [8, 16] } });
  model.answers({}, "view-other", 7);
  assert.deepEqual(place("mlp"), [8, 16]);
});

test("nodes that have not changed stay the same objects", () => {
  const before = builder().scene.nodes;
  const nodes = structuredClone(SCENE.nodes).map((each) => ({ ...each }));
  nodes[1] = { ...nodes[1]!, detail: "another" };
  model.answers({ nodes }, bridge.id, 0);
  const after = builder().scene.nodes;
  assert.deepEqual(after.map((each, index) => each === before[index]), [true, false, true]);
});

test("the selection goes both ways and is not echoed", () => {
  let writes = 0;
  model.on("change:selection", () => (writes += 1));
  builder().select(["mlp"]);
  builder().select(["mlp"]);
  assert.equal(writes, 1);
  assert.deepEqual(model.get("selection"), ["mlp"]);
  model.set("selection", ["tree"]);
  assert.deepEqual(builder().selection, ["tree"]);
});

test("what Python says is shown and told, the same words again too", () => {
  model.fire("msg:custom", { type: "said", text: "no", level: "error" });
  const first = builder().said;
  model.fire("msg:custom", { type: "said", text: "no", level: "error" });
  assert.equal(builder().told?.text, "no");
  assert.notEqual(builder().said?.number, first?.number);
});

test("every subscription has its end", () => {
  end();
  assert.equal([...model.handlers.values()].reduce((sum, each) => sum + each.size, 0), 0);
});
