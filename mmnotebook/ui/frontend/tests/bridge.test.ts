// Between Python and the components: what is shown until Python has answered.

import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { Bridge, type Model, type Traits } from "../src/bridge";
import { LATE_MS } from "../src/lateTimer";
import type { Command, RunState } from "../src/scene";
import { node, sceneOf } from "./scenes";

class FakeModel implements Model {
  readonly sent: { type: string; view: string; number: number; command: Command }[] = [];
  readonly handlers = new Map<string, Set<(message: unknown) => void>>();
  saved = 0;
  constructor(readonly values: Traits) {}

  get<Name extends keyof Traits>(name: Name): Traits[Name] {
    return this.values[name];
  }
  set<Name extends keyof Traits>(name: Name, value: Traits[Name]): void {
    this.values[name] = value;
    this.tell(`change:${name}`);
  }
  save_changes(): void {
    this.saved += 1;
  }
  on(event: string, handler: (message: unknown) => void): void {
    this.handlers.set(event, (this.handlers.get(event) ?? new Set()).add(handler));
  }
  off(event: string, handler: (message: unknown) => void): void {
    this.handlers.get(event)?.delete(handler);
  }
  send(content: unknown): void {
    this.sent.push(content as (typeof this.sent)[number]);
  }
  /** As a message from Python does: all of it is there when the first handler is called. */
  update(values: Traits): void {
    Object.assign(this.values, values);
    for (const name of Object.keys(values)) this.tell(`change:${name}`);
  }
  tell(event: string, message?: unknown): void {
    for (const handler of this.handlers.get(event) ?? []) handler(message);
  }
}

const scene = () =>
  sceneOf({ nodes: [node("rows", "source"), node("mlp", "model")], groups: [] }, { mlp: [240, 0] });

function opened() {
  const model = new FakeModel({ scene: scene(), selection: [], height: 440 });
  const bridge = new Bridge(model);
  return { model, bridge, end: bridge.listen() };
}

const placeOf = (bridge: Bridge) => bridge.store.getState().scene.nodes[1]?.x;

test("a command shows at once, and stays until Python has it", () => {
  const { model, bridge } = opened();
  bridge.store.getState().send({ op: "move", places: { mlp: [300, 0] } });
  assert.equal(placeOf(bridge), 300);
  bridge.store.getState().send({ op: "move", places: { mlp: [320, 0] } });
  const moved = sceneOf({ nodes: scene().nodes, groups: [] }, { mlp: [300, 0] });
  // Python has handled the first one only.
  model.update({ scene: moved, seen: { [bridge.id]: 1 } });
  assert.equal(placeOf(bridge), 320);
  model.set("seen", { [bridge.id]: 2 });
  assert.equal(placeOf(bridge), 300);
  assert.deepEqual(
    model.sent.map(({ number }) => number),
    [1, 2],
  );
});

test("what was refused goes back, and another view's answers are not this one's", () => {
  const { model, bridge } = opened();
  bridge.store.getState().send({ op: "connect", source: "rows", port: null, target: "mlp" });
  assert.equal(bridge.store.getState().scene.nodes[1]?.inputs.length, 1);
  model.update({ scene: scene(), seen: { another: 9 } });
  assert.equal(bridge.store.getState().scene.nodes[1]?.inputs.length, 1);
  model.update({ scene: scene(), seen: { [bridge.id]: 1 } });
  assert.equal(bridge.store.getState().scene.nodes[1]?.inputs.length, 0);
});

test("nodes that have not changed stay the same objects from scene to scene", () => {
  const { model, bridge } = opened();
  const before = bridge.store.getState().scene.nodes;
  model.set("scene", sceneOf({ nodes: scene().nodes, groups: [] }, { mlp: [999, 0] }));
  const after = bridge.store.getState().scene.nodes;
  assert.equal(after[0], before[0]);
  assert.notEqual(after[1], before[1]);
});

test("a selection is told once, and what Python selects takes the wires away", () => {
  const { model, bridge } = opened();
  bridge.store.getState().select(["mlp"]);
  bridge.store.getState().select(["mlp"]);
  assert.deepEqual(
    model.sent.map(({ command }) => command),
    [{ op: "select", nodes: ["mlp"] }],
  );
  model.update({ selection: ["mlp"], seen: { [bridge.id]: 1 } });
  bridge.store.getState().select(["mlp"], [["rows", null, "mlp"]]);
  assert.equal(bridge.store.getState().wires.length, 1);
  model.set("selection", ["rows"]);
  assert.deepEqual(bridge.store.getState().selection, ["rows"]);
  assert.deepEqual(bridge.store.getState().wires, []);
  assert.equal(model.sent.length, 1);
});

test("what was selected here stays while Python is behind, and what it selects later counts", () => {
  const { model, bridge } = opened();
  const { select, send } = bridge.store.getState();
  select(["rows"]);
  send({ op: "arrange" });
  select(["mlp"]);
  model.update({ selection: ["rows"], seen: { [bridge.id]: 1 } });
  assert.deepEqual(bridge.store.getState().selection, ["mlp"]);
  model.update({ scene: scene(), selection: ["rows"], seen: { [bridge.id]: 2 } });
  assert.deepEqual(bridge.store.getState().selection, ["mlp"]);
  model.update({ selection: ["mlp"], seen: { [bridge.id]: 3 } });
  assert.deepEqual(bridge.store.getState().selection, ["mlp"]);
  // A step that is added is selected by Python; until then it is the one before.
  send({ op: "add", kind: "vote" });
  assert.deepEqual(bridge.store.getState().selection, ["mlp"]);
  model.update({ scene: scene(), selection: ["rows"], seen: { [bridge.id]: 4 } });
  assert.deepEqual(bridge.store.getState().selection, ["rows"]);
});

test("what Python says is shown, and told anew when it says the same", () => {
  const { model, bridge } = opened();
  const says = { type: "notice", text: "no", level: "error" };
  model.tell("msg:custom", says);
  const first = bridge.store.getState().notice;
  model.tell("msg:custom", says);
  assert.equal(first?.text, "no");
  assert.notEqual(bridge.store.getState().announcement?.number, first?.number);
});

test("every subscription has its end", () => {
  const { model, bridge, end } = opened();
  const stop = bridge.store.getState().onMessage(() => undefined);
  stop();
  end();
  assert.equal(
    [...model.handlers.values()].reduce((n, handlers) => n + handlers.size, 0),
    0,
  );
});

test("what Python has not answered for long is counted, until it answers", () => {
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const { model, bridge, end } = opened();
  const answer = (number: number) => model.set("seen", { [bridge.id]: number });
  const { send, select } = bridge.store.getState();
  send({ op: "arrange" });
  mock.timers.tick(LATE_MS - 1);
  answer(1);
  mock.timers.tick(LATE_MS);
  assert.equal(bridge.store.getState().waiting, 0);
  send({ op: "arrange" });
  send({ op: "undo" });
  select(["mlp"]);
  mock.timers.tick(LATE_MS);
  assert.equal(bridge.store.getState().waiting, 2);
  answer(4);
  assert.equal(bridge.store.getState().waiting, 0);
  send({ op: "undo" });
  end();
  mock.timers.tick(LATE_MS);
  assert.equal(bridge.store.getState().waiting, 0);
  mock.timers.reset();
});

test("what was told before a run is outdated as soon as the next one begins", () => {
  const { model, bridge } = opened();
  const status = (state: RunState) =>
    model.set("status", { state, line: "", nodes: {}, wires: [] });
  const isShown = () => bridge.store.getState().notice!.number > bridge.store.getState().outdated;
  status("preparing");
  model.tell("msg:custom", { type: "notice", text: "first\n  second", level: "error" });
  assert.equal(bridge.store.getState().notice?.text, "first\n  second");
  for (const state of ["running", "failed", "failed"] as const) {
    status(state);
    assert.equal(isShown(), true);
  }
  status("running"); // also where the word before it was missed
  assert.equal(isShown(), false);
  model.tell("msg:custom", { type: "notice", text: "of this run", level: "error" });
  status("failed");
  assert.equal(isShown(), true);
});
