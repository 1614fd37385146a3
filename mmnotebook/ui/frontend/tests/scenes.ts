// Scenes for the tests, as Python makes them.

import type { Gather, GraphNode, Group, Json, Scene, SceneNode } from "../src/scene";

export interface GraphJson {
  nodes: GraphNode[];
  groups: Group[];
}

/** A node on the canvas, with the ports that its kind and parameters give it. */
export function sceneNode(about: GraphNode, place: [number, number] = [0, 0]): SceneNode {
  const { name, kind, params } = about;
  const arms = (params.arms as Json[] | undefined)?.map((arm) =>
    Array.isArray(arm) ? arm[0] : arm,
  );
  const single = kind === "write" ? [] : [null];
  return {
    ...about,
    title: name,
    detail: kind,
    x: place[0],
    y: place[1],
    outputs: kind === "split" || kind === "switch" ? ((arms ?? []) as string[]) : single,
    takes: kind !== "source" && kind !== "read",
    problems: [],
  };
}

export function node(
  name: string,
  kind: string,
  inputs: [string, string | null][] = [],
  params: { [name: string]: Json } = {},
  gather: Gather = null,
): SceneNode {
  const wires = inputs.map(([source, port]) => ({ node: source, port, select: null }));
  return sceneNode({ name, kind, params, inputs: wires, gather });
}

export function sceneOf(graph: GraphJson, places: { [name: string]: [number, number] }): Scene {
  return {
    revision: 1,
    name: null,
    nodes: graph.nodes.map((each) => sceneNode(each, places[each.name])),
    groups: graph.groups,
    text: "",
    textProblems: [],
    problems: [],
    undo: null,
    redo: null,
  };
}
