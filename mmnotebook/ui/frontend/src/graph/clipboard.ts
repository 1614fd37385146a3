// Copies of nodes as text: the counterpart of mmnotebook/editing/clips.py.

import type { Scene } from "../scene";

const FORMAT = 1;

/** Return nodes in the file format, with their positions, and the groups whose members are all among them. */
export function clipOf(scene: Pick<Scene, "nodes" | "groups">, names: readonly string[]): string {
  const wanted = new Set(names);
  const nodes = scene.nodes.filter((node) => wanted.has(node.name));
  const clip = {
    mmnotebook: FORMAT,
    nodes: nodes.map(({ name, kind, params, inputs, gather }) => ({
      name,
      kind,
      params,
      inputs,
      gather,
    })),
    groups: scene.groups.filter(({ members }) => members.every((name) => wanted.has(name))),
    places: Object.fromEntries(nodes.map(({ name, x, y }) => [name, [x, y]])),
  };
  return JSON.stringify(clip, null, 1);
}
