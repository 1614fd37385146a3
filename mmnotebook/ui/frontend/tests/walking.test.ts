import assert from "node:assert/strict";
import { test } from "node:test";

import { closest, first, neighbour } from "../src/walking";
import { node, sceneOf } from "./scenes";

const SCENE = sceneOf(
  {
    nodes: [
      node("digits", "source"),
      node("mlp", "model", [["digits", null]]),
      node("tree", "model", [["digits", null]]),
      node("vote", "vote", [["mlp", null], ["tree", null]]),
      node("far", "source"),
    ],
    groups: [],
  },
  { digits: [0, 40], mlp: [240, 0], tree: [240, 84], vote: [480, 84], far: [0, 400] },
);

test("right and left go along the wires, to the nearest", () => {
  assert.equal(neighbour(SCENE, "digits", "right"), "mlp");
  assert.equal(neighbour(SCENE, "mlp", "right"), "vote");
  assert.equal(neighbour(SCENE, "vote", "left"), "tree");
  assert.equal(neighbour(SCENE, "vote", "right"), null);
  assert.equal(neighbour(SCENE, "far", "left"), null);
});

test("up and down go to neighbours by place, so that every node is reached", () => {
  assert.equal(neighbour(SCENE, "mlp", "down"), "tree");
  assert.equal(neighbour(SCENE, "tree", "up"), "mlp");
  assert.equal(neighbour(SCENE, "digits", "down"), "far");
  assert.equal(neighbour(SCENE, "mlp", "up"), null);
  assert.equal(neighbour(SCENE, "gone", "up"), null);
});

test("where the walk begins", () => {
  assert.equal(first(SCENE), "digits");
  assert.equal(first({ nodes: [] }), null);
  assert.equal(closest(SCENE, { x: 470, y: 90 }), "vote");
});
