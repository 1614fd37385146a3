import assert from "node:assert/strict";
import { test } from "node:test";

import { adding, filtered, freeOutput } from "../src/panes/items";
import type { PaletteSection } from "../src/scene";
import { node } from "./scenes";

const SECTIONS: PaletteSection[] = [
  {
    title: "Models",
    items: [
      { kind: "model", params: { model: "mlp" }, title: "mlp", detail: "torch" },
      { kind: "model", params: { model: "tree" }, title: "tree", detail: "sklearn" },
    ],
    empty: "no models yet",
  },
  { title: "Data", items: [], empty: "no data" },
  { title: "Steps", items: [{ kind: "vote", title: "vote", detail: "most" }], empty: "" },
];

test("no query leaves every section, the empty ones too", () => {
  assert.deepEqual(filtered(SECTIONS, "  "), SECTIONS);
});

test("a query finds in titles, details, kinds and section titles, in any case and order", () => {
  const found = (query: string) =>
    filtered(SECTIONS, query).flatMap((section) => section.items.map((item) => item.title));
  assert.deepEqual(found("TREE"), ["tree"]);
  assert.deepEqual(found("torch"), ["mlp"]);
  assert.deepEqual(found("torch mlp"), ["mlp"]);
  assert.deepEqual(found("torch tree"), []);
  assert.deepEqual(found("models"), ["mlp", "tree"]);
  assert.deepEqual(
    filtered(SECTIONS, "vote").map((section) => section.title),
    ["Steps"],
  );
});

const SCENE = {
  nodes: [
    node("digits", "source"),
    node("split", "split", [["digits", null]], { arms: ["a", "b"] }),
    node("mlp", "model", [["split", "a"]]),
    node("out", "write", [["mlp", null]]),
  ],
};

test("a step follows the first output that is free", () => {
  assert.deepEqual(freeOutput(SCENE, ["split"]), ["split", "b"]);
  assert.deepEqual(freeOutput(SCENE, ["digits"]), ["digits", null]);
  const both = [...SCENE.nodes, node("tree", "model", [["split", "b"]])];
  assert.equal(freeOutput({ nodes: both }, ["split"]), null);
});

test("a step follows nothing when nothing, several, an end or a stranger is selected", () => {
  for (const selection of [[], ["digits", "mlp"], ["out"], ["gone"]]) {
    assert.equal(freeOutput(SCENE, selection), null);
  }
});

test("adding connects where that makes sense", () => {
  const [mlp] = SECTIONS[0]!.items;
  assert.deepEqual(adding(mlp!, SCENE, ["split"]), {
    op: "add",
    kind: "model",
    params: { model: "mlp" },
    at: null,
    after: ["split", "b"],
  });
  const data = { kind: "source", params: { data: "rows" }, title: "rows", detail: "" };
  assert.deepEqual(adding(data, SCENE, ["split"]), {
    op: "add",
    kind: "source",
    params: { data: "rows" },
    at: null,
    after: null,
  });
  assert.deepEqual(adding({ kind: "vote", title: "", detail: "" }, SCENE, ["mlp"], [8, 16]), {
    op: "add",
    kind: "vote",
    params: {},
    at: [8, 16],
    after: null,
  });
  const template = { template: "mirror", params: { data: "rows" }, title: "", detail: "" };
  assert.deepEqual(adding(template, SCENE, []), {
    op: "template",
    name: "mirror",
    at: null,
    fill: { data: "rows" },
  });
});
