// What the canvas makes of a scene, and of gestures and keys on it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { following } from "../src/canvas/AddMenu";
import {
  Flow,
  handleOf,
  heightOf,
  nodeAt,
  onGrid,
  outputsOf,
  portOf,
  wireOf,
} from "../src/canvas/flow";
import { optionsOf } from "../src/canvas/keyPlug";
import { allows, commandsFor, plug, wireTo } from "../src/canvas/plugging";
import { closest, first, neighbour } from "../src/canvas/walking";
import { drawn, straight } from "../src/canvas/wirePath";
import { summary } from "../src/canvas/words";
import { beside } from "../src/commands";
import { type NodeStatus, type Scene, SIZE, type Status } from "../src/scene";
import { node, sceneOf } from "./scenes";

const ARMS = {
  arms: [
    ["a", 0.5],
    ["b", 0.5],
  ],
};
const IDLE: Status = { state: "idle", line: "", nodes: {}, wires: [] };
const PLACES: { [name: string]: [number, number] } = {
  rows: [0, 100],
  split: [240, 100],
  mlp: [480, 40],
  tree: [480, 160],
  vote: [720, 100],
  saved: [960, 100],
};

function scene(): Scene {
  const nodes = [
    node("rows", "source"),
    node("split", "split", [["rows", null]], ARMS),
    node("mlp", "model", [["split", "a"]]),
    node("tree", "model", [["split", "b"]]),
    node("vote", "vote", [["mlp", null]], {}, "join"),
    node("saved", "write", [["vote", null]]),
  ];
  return sceneOf({ nodes, groups: [] }, PLACES);
}

const marks = (selected: string[] = [], tab: string | null = null) => ({
  selection: new Set(selected),
  tab,
  moved: new Map(),
});

const nodesOf = (flow: Flow, one: Scene, marked: ReturnType<typeof marks>) =>
  flow.nodesOf(flow.stepsOf(one, IDLE), marked);

const status = (about: Partial<NodeStatus>): NodeStatus => ({
  state: "done",
  elementsIn: null,
  elementsOut: null,
  failed: 0,
  total: null,
  seconds: null,
  ...about,
});

test("nodes and wires that have not changed stay the same objects", () => {
  const flow = new Flow();
  const one = scene();
  const before = nodesOf(flow, one, marks());
  const wires = flow.edgesOf(one, IDLE, new Set());
  assert.deepEqual(nodesOf(flow, one, marks()), before);
  const nodes = one.nodes.map((each) => (each.name === "mlp" ? { ...each, x: 500 } : each));
  const after = nodesOf(flow, { ...one, nodes }, marks(["tree"]));
  const changed = after.filter((each, i) => each !== before[i]).map((each) => each.id);
  assert.deepEqual(changed, ["mlp", "tree"]);
  assert.ok(flow.edgesOf({ ...one, nodes }, IDLE, new Set()).every((each, i) => each === wires[i]));
});

test("a card is not drawn anew for being dragged or selected by another", () => {
  const flow = new Flow();
  const before = nodesOf(flow, scene(), marks());
  const one = { ...scene(), nodes: before.map((each) => each.data.step) };
  const moved = new Map([["mlp", { x: 7, y: 7 }]]);
  const after = nodesOf(flow, one, { ...marks(["tree"]), moved });
  assert.deepEqual(after[2]?.position, { x: 7, y: 7 });
  assert.ok(after.every((each, i) => each.data === before[i]?.data));
});

test("one node is what Tab comes to", () => {
  const nodes = nodesOf(new Flow(), scene(), marks([], "mlp"));
  const tabs = nodes.filter((each) => each.domAttributes?.tabIndex === 0);
  assert.deepEqual(
    tabs.map((each) => each.id),
    ["mlp"],
  );
});

test("wires carry their counts, and flow while a node at one of their ends runs", () => {
  const running: Status = {
    state: "running",
    line: "",
    nodes: { split: status({ state: "running" }) },
    wires: [{ source: "split", port: "a", target: "mlp", count: 1200 }],
  };
  const wires = new Flow().edgesOf(scene(), running, new Set());
  const wire = wires.find((each) => each.target === "mlp");
  assert.deepEqual(wireOf(wire?.id ?? ""), ["split", "a", "mlp"]);
  assert.equal(wire?.data?.count, 1200);
  assert.deepEqual(
    wires.filter((each) => each.data?.flowing).map((each) => each.target),
    ["split", "mlp", "tree"],
  );
});

test("several fields of one output are one wire, which says what is taken", () => {
  const inputs = [
    { node: "digits", port: null, select: "a", label: "x" },
    { node: "digits", port: null, select: { drop: ["b"] }, label: "y" },
  ];
  const both = { ...node("both", "map", [], { function: "f" }), inputs };
  const wires = new Flow().edgesOf({ nodes: [node("digits", "source"), both] }, IDLE, new Set());
  assert.deepEqual(
    wires.map((wire) => wire.data?.select),
    ['"a" · without "b"'],
  );
});

test("a wire from an output that is no more keeps a port to hang on", () => {
  const split = node("split", "split", [], ARMS);
  const outputs = outputsOf(split, new Set(["a", "gone"]));
  assert.deepEqual(
    outputs.map(({ port, lost }) => [port, lost]),
    [
      ["a", false],
      ["b", false],
      ["gone", true],
    ],
  );
});

test("cards grow with more than two outputs, which stay on them in order", () => {
  assert.equal(heightOf(1), SIZE.height);
  assert.equal(heightOf(2), SIZE.height);
  const arms = ["a", "b", "c", "d", "e"];
  const outputs = outputsOf(node("route", "switch", [], { arms }), new Set());
  const height = heightOf(arms.length);
  assert.ok(height > SIZE.height);
  assert.deepEqual(
    outputs.map(({ y }) => y),
    [...outputs.map(({ y }) => y)].sort((p, q) => p - q),
  );
  assert.ok(outputs.every(({ y }) => y > 8 && y < height - 8));
});

test("ports and handles name each other", () => {
  assert.equal(handleOf(null), "out");
  assert.equal(portOf("out"), null);
  for (const port of ["a", "out", "in", "a:b"]) assert.equal(portOf(handleOf(port)), port);
});

test("a run's result in one line", () => {
  assert.equal(
    summary(status({ elementsOut: 1200, seconds: 0.42, state: "cached" })),
    "1,200 · 0.4 s · cached",
  );
  assert.equal(summary(status({ seconds: 0.0123 })), "12 ms");
  assert.equal(summary(status({ seconds: 125 })), "2 min 5 s");
  assert.equal(summary(status({ state: "waiting", elementsIn: 7 })), "waiting");
  assert.equal(summary(status({ state: "failed", elementsOut: 2, failed: 3 })), "2");
  assert.equal(summary(status({ state: "failed" })), "failed");
  assert.equal(summary(status({ state: "stopped", elementsOut: 885 })), "885 · not finished");
  assert.equal(summary(status({ state: "stopped", elementsOut: 0 })), "not finished");
});

test("arrow keys walk along the wires and to neighbours", () => {
  const { nodes } = scene();
  const go = (name: string, way: "left" | "right" | "up" | "down") =>
    neighbour({ nodes }, name, way);
  assert.equal(go("rows", "right"), "split");
  assert.ok(["mlp", "tree"].includes(go("split", "right") ?? ""));
  assert.equal(go("mlp", "left"), "split");
  assert.equal(go("mlp", "down"), "tree");
  assert.equal(go("tree", "up"), "mlp");
  assert.equal(go("rows", "left"), null);
  assert.equal(go("saved", "right"), null);
  assert.equal(go("nobody", "right"), null);
  assert.equal(first({ nodes }), "rows");
  assert.equal(first({ nodes: [] }), null);
  assert.equal(closest({ nodes }, { x: 700, y: 90 }), "vote");
});

test("what a point is over", () => {
  assert.equal(nodeAt(scene(), { x: 300, y: 120 })?.name, "split");
  assert.equal(nodeAt(scene(), { x: 300, y: 400 }), null);
});

test("a wire that is dragged knows where it may end, and why not", () => {
  const made = plug(scene(), { node: "vote", port: null, type: "source" }, null);
  assert.equal(made.refusals.get("tree"), null);
  assert.match(made.refusals.get("rows") ?? "", /cannot have an input/);
  assert.match(made.refusals.get("mlp") ?? "", /cycle/);
  const back = plug(scene(), { node: "tree", port: null, type: "target" }, null);
  assert.equal(back.refusals.get("rows"), null);
  assert.notEqual(back.refusals.get("saved"), null);
  const over = scene().nodes.find((each) => each.name === "split");
  assert.ok(over);
  assert.deepEqual(wireTo(scene(), back, over), ["split", "a", "tree"]);
});

test("a wire's own end is free for it while it is re-plugged", () => {
  const old = ["mlp", null, "vote"] as const;
  const from = { node: "mlp", port: null, type: "source" as const };
  assert.notEqual(plug(scene(), from, null).refusals.get("vote"), null);
  const made = plug(scene(), from, [...old]);
  assert.equal(made.refusals.get("vote"), null);
  assert.ok(allows(scene(), made, [...old]));
});

test("re-plugging is one command, and none where nothing changes", () => {
  assert.deepEqual(commandsFor(["a", null, "b"], null), [
    { op: "connect", source: "a", port: null, target: "b" },
  ]);
  assert.deepEqual(commandsFor(["c", "x", "b"], ["a", null, "b"]), [
    { op: "connect", source: "c", port: "x", target: "b", old: ["a", null, "b"] },
  ]);
  assert.deepEqual(commandsFor(["a", null, "c"], ["a", null, "b"]), [
    { op: "connect", source: "a", port: null, target: "c", old: ["a", null, "b"] },
  ]);
  assert.deepEqual(commandsFor(["a", null, "b"], ["a", null, "b"]), []);
});

test("by keyboard a wire is offered what may take it, the nearest ahead first", () => {
  const options = optionsOf(scene(), "tree", null);
  assert.deepEqual(options.map(({ node }) => node.name).slice(0, 2), ["vote", "saved"]);
  assert.ok(!options.some(({ node }) => ["rows", "split"].includes(node.name)));
  const there = optionsOf(scene(), "mlp", null).find(({ node }) => node.name === "vote");
  assert.equal(there?.connected, true);
});

test("what may follow a step: no data, no templates", () => {
  const kinds = [
    { name: "source", summary: "", inputs: "none" as const, ends: false },
    { name: "model", summary: "", inputs: "any" as const, ends: false },
  ];
  const item = (title: string, about: { kind?: string; template?: string }) => ({
    title,
    detail: "",
    ...about,
  });
  const sections = [
    { title: "Templates", items: [item("A/B", { template: "mirror" })], empty: "" },
    { title: "Data", items: [item("rows", { kind: "source" })], empty: "" },
    { title: "Models", items: [item("mlp", { kind: "model" })], empty: "" },
  ];
  assert.deepEqual(
    following(sections, kinds).map(({ title }) => title),
    ["Models"],
  );
});

test("places are on the grid, and what is pasted does not hide what it was copied from", () => {
  assert.deepEqual(onGrid({ x: 13, y: -3 }), [16, -0]);
  const [x, y] = beside(scene(), [240, 100]);
  assert.ok(x > 240 && y > 100);
  assert.deepEqual(beside(scene(), [2000, 0]), [2000, 0]);
});

test("a wire goes straight under the name of its arm, as far as there is room, then it bends", () => {
  const ends = {
    sourceX: 100,
    sourceY: 50,
    targetX: 220,
    targetY: 90,
    sourcePosition: "right" as never,
    targetPosition: "left" as never,
  };
  assert.equal(straight(null, 120), 0);
  assert.equal(straight("ab", 120), 21);
  assert.equal(straight("a name that is cut", 120), 71);
  assert.equal(straight("a name that is cut", 60), 24);
  assert.equal(straight("ab", -40), 0);
  assert.match(drawn(ends, "ab").path, /^M100,50 L121,50 C.* 220,90$/);
  assert.match(drawn(ends, null).path, /^M100,50 C.* 220,90$/);
  assert.deepEqual(drawn(ends, null).middle, { x: 160, y: 64 });
});
