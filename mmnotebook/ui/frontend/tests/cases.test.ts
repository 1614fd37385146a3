// The cases that hold these functions and their counterparts in Python to each other.

import assert from "node:assert/strict";
import { test } from "node:test";

import { clipOf } from "../src/graph/clipboard";
import { refusal } from "../src/graph/connecting";
import { applied } from "../src/graph/operations";
import type { Command, Input, Scene } from "../src/scene";
import connections from "./cases/connections.json";
import operations from "./cases/operations.json";
import { type GraphJson, sceneOf } from "./scenes";

type Places = { [name: string]: [number, number] };

interface Operation {
  what: string;
  graph: GraphJson;
  places: Places;
  command: Command | { op: "copy"; nodes: string[] };
  graph_after?: GraphJson;
  places_after?: Places;
  clip?: unknown;
}

interface Connection {
  graph: GraphJson;
  source: string;
  port: string | null;
  target: string;
  refusal: string | null;
}

/** A wire's key is left out of the file where it is the step's name. */
const plain = ({ label, ...wire }: Input) => (label == null ? wire : { ...wire, label });

function graphOf(scene: Scene) {
  const nodes = scene.nodes.map(({ name, kind, params, inputs, gather }) => ({
    name,
    kind,
    params,
    inputs: inputs.map(plain),
    gather,
  }));
  return { nodes, groups: scene.groups };
}

const placesOf = (scene: Scene) =>
  Object.fromEntries(scene.nodes.map((node) => [node.name, [node.x, node.y]]));

for (const [index, each] of (connections as unknown as Connection[]).entries()) {
  const { graph, source, port, target, refusal: why } = each;
  const wire = `${source}${port === null ? "" : `.${port}`} to ${target}`;
  test(`connection ${index}, ${wire}: ${why ?? "goes"}`, () => {
    const scene = sceneOf(graph, {});
    assert.equal(refusal(scene, source, port, target), why);
    const after = applied(scene, { op: "connect", source, port, target });
    assert.equal(after === scene, why !== null);
  });
}

for (const each of operations as unknown as Operation[]) {
  test(`operation: ${each.what}`, () => {
    const { graph, places, command } = each;
    const scene = sceneOf(graph, places);
    const before = structuredClone(scene);
    if (command.op === "copy") {
      assert.deepEqual(JSON.parse(clipOf(scene, command.nodes)), each.clip);
    } else {
      const after = applied(scene, command);
      const { nodes, groups } = each.graph_after as GraphJson;
      assert.deepEqual(graphOf(after), { nodes, groups });
      assert.deepEqual(placesOf(after), each.places_after);
    }
    assert.deepEqual(scene, before, "the scene before is as it was");
  });
}

test("the cases are many, and of every operation that is done at once", () => {
  assert.ok(connections.length >= 25);
  const ops = new Set(operations.map((each) => each.command.op));
  assert.deepEqual([...ops].sort(), ["connect", "copy", "disconnect", "move", "remove", "rename"]);
});
