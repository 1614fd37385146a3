import assert from "node:assert/strict";
import { test } from "node:test";

import { allows, commandsFor, plug, wireTo } from "../src/plugging";
import { node, sceneOf } from "./scenes";

const SCENE = sceneOf(
  {
    nodes: [
      node("digits", "source"),
      node("split", "split", [["digits", null]], { arms: ["a", "b"] }),
      node("mlp", "model", [["split", "a"]]),
      node("tree", "model"),
      node("out", "write", [["mlp", null]]),
    ],
    groups: [],
  },
  {},
);
const at = (name: string) => SCENE.nodes.find((each) => each.name === name)!;

test("while a wire is drawn from an output, each node says whether it can be its end", () => {
  const { refusals } = plug(SCENE, { node: "split", port: "b", type: "source" }, null);
  assert.equal(refusals.get("tree"), null);
  assert.equal(refusals.get("mlp"), null);
  assert.match(refusals.get("digits") ?? "", /is data/);
  assert.match(refusals.get("split") ?? "", /itself/);
});

test("a wire drawn backwards from an input takes the first output that is free", () => {
  const back = plug(SCENE, { node: "mlp", port: null, type: "target" }, null);
  assert.equal(back.refusals.get("split"), null);
  assert.deepEqual(wireTo(SCENE, back, at("split")), ["split", "b", "mlp"]);
  assert.match(back.refusals.get("out") ?? "", /circle|follow/);
  assert.equal(wireTo(SCENE, back, at("out")), null);
});

test("a wire that is re-plugged does not stand in its own way", () => {
  const from = { node: "split", port: "a", type: "source" } as const;
  assert.match(plug(SCENE, from, null).refusals.get("mlp") ?? "", /already/);
  const again = plug(SCENE, from, ["split", "a", "mlp"]);
  assert.equal(again.refusals.get("mlp"), null);
  assert.equal(allows(SCENE, again, ["split", "a", "tree"]), true);
  assert.equal(allows(SCENE, again, ["split", "a", "digits"]), false);
});

test("the commands of a gesture", () => {
  assert.deepEqual(commandsFor(["split", "b", "tree"], null), [
    { op: "connect", source: "split", port: "b", target: "tree" },
  ]);
  assert.deepEqual(commandsFor(["split", "a", "mlp"], ["split", "a", "mlp"]), []);
  assert.deepEqual(commandsFor(["split", "b", "mlp"], ["split", "a", "mlp"]), [
    { op: "connect", source: "split", port: "b", target: "mlp", old: ["split", "a"] },
  ]);
  assert.deepEqual(commandsFor(["split", "a", "tree"], ["split", "a", "mlp"]), [
    { op: "disconnect", wires: [["split", "a", "mlp"]] },
    { op: "connect", source: "split", port: "a", target: "tree" },
  ]);
});
