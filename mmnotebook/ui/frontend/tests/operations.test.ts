import assert from "node:assert/strict";
import { test } from "node:test";

import { clipOf } from "../src/graph/clipboard";
import { applied } from "../src/graph/operations";
import type { Command } from "../src/scene";
import { node, sceneOf } from "./scenes";

const SCENE = sceneOf(
  {
    nodes: [
      node("digits", "source"),
      node("mlp", "model", [["digits", null]]),
      node("tree", "model", [["digits", null]]),
      node(
        "vote",
        "vote",
        [
          ["mlp", null],
          ["tree", null],
        ],
        {},
        "join",
      ),
    ],
    groups: [{ name: "both", members: ["mlp", "tree"], gather: "join" }],
  },
  {},
);

test("what Python alone knows the outcome of leaves the scene as it is", () => {
  const commands: Command[] = [
    { op: "add", kind: "model" },
    { op: "arrange" },
    { op: "undo" },
    { op: "paste", clip: clipOf(SCENE, ["mlp"]) },
    { op: "group", name: "g", nodes: ["mlp", "vote"], gather: "join" },
    { op: "run", until: null, limit: null, fresh: false },
  ];
  for (const command of commands) assert.equal(applied(SCENE, command), SCENE, command.op);
});

test("what Python refuses leaves the scene as it is", () => {
  const commands: Command[] = [
    { op: "connect", source: "digits", port: null, target: "mlp" },
    { op: "connect", source: "gone", port: null, target: "mlp" },
    { op: "connect", source: "mlp", port: null, target: "gone" },
    { op: "connect", source: "mlp", port: null, target: "tree", old: ["vote", null, "tree"] },
    { op: "disconnect", wires: [["digits", null, "vote"]] },
    { op: "remove", nodes: ["mlp", "gone"], wires: [] },
    { op: "remove", nodes: ["mlp"], wires: [["digits", "a", "mlp"]] },
    { op: "rename", old: "mlp", new: "tree" },
    { op: "rename", old: "mlp", new: "both" },
    { op: "rename", old: "digits", new: "1st" },
    { op: "rename", old: "digits", new: "lambda" },
    { op: "rename", old: "digits", new: "ﬁrst" },
  ];
  for (const command of commands)
    assert.equal(applied(SCENE, command), SCENE, JSON.stringify(command));
});

test("a name that a join has a key of is refused", () => {
  const labelled = applied(SCENE, { op: "rename", old: "digits", new: "rows" });
  const join = labelled.nodes.at(-1)!;
  const keyed = { ...join, inputs: [{ ...join.inputs[0]!, label: "k" }, join.inputs[1]!] };
  const scene = { ...labelled, nodes: [...labelled.nodes.slice(0, -1), keyed] };
  assert.equal(applied(scene, { op: "rename", old: "tree", new: "k" }), scene);
  const freed = applied(scene, { op: "rename", old: "mlp", new: "k" });
  assert.deepEqual(freed.nodes.at(-1)!.inputs[0], { node: "k", port: null, select: null });
});

test("a typed text is shown until Python has read it", () => {
  assert.equal(applied(SCENE, { op: "text", text: "a | b" }).text, "a | b");
});

test("nodes that a change leaves alone are the same objects, so that they are not drawn anew", () => {
  const after = applied(SCENE, { op: "disconnect", wires: [["tree", null, "vote"]] });
  assert.deepEqual(
    after.nodes.map((each, index) => each === SCENE.nodes[index]),
    [true, true, true, false],
  );
});

test("commands one after another come to what they come to in Python", () => {
  const commands: Command[] = [
    { op: "disconnect", wires: [["digits", null, "tree"]] },
    { op: "connect", source: "mlp", port: null, target: "tree" },
    { op: "move", places: { tree: [8, 16] } },
    { op: "rename", old: "tree", new: "big" },
    { op: "remove", nodes: ["vote"], wires: [] },
  ];
  const after = commands.reduce(applied, SCENE);
  const big = after.nodes.find((each) => each.name === "big")!;
  assert.deepEqual(big.inputs, [{ node: "mlp", port: null, select: null }]);
  assert.deepEqual([big.x, big.y, big.title], [8, 16, "big"]);
  assert.deepEqual(after.groups, [{ name: "both", members: ["mlp", "big"], gather: "join" }]);
});
