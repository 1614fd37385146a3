// From node to node by arrow keys: along the wires, and to neighbours by place. Pure.
import type { Way } from "../action";
import type { Scene, SceneNode } from "../scene";

type Nodes = Pick<Scene, "nodes">;

/** The node that an arrow key leads to; null where there is none. */
export function neighbour({ nodes }: Nodes, name: string, way: Way): string | null {
  const from = nodes.find((node) => node.name === name);
  if (from === undefined) return null;
  if (way === "up" || way === "down") return beside(nodes, from, way);
  const along =
    way === "right"
      ? nodes.filter((node) => node.inputs.some((input) => input.node === name))
      : nodes.filter((node) => from.inputs.some((input) => input.node === node.name));
  const others = along.filter((node) => node.name !== name);
  return nearest(others, (node) => Math.abs(node.y - from.y) + Math.abs(node.x - from.x) / 4);
}

/** Above or below: the nearest, where a step to the side counts twice. */
function beside(nodes: readonly SceneNode[], from: SceneNode, way: "up" | "down"): string | null {
  const sign = way === "down" ? 1 : -1;
  const there = nodes.filter((node) => node !== from && sign * (node.y - from.y) > 0);
  return nearest(there, (node) => Math.abs(node.y - from.y) + 2 * Math.abs(node.x - from.x));
}

function nearest(nodes: readonly SceneNode[], far: (node: SceneNode) => number): string | null {
  let best: SceneNode | null = null;
  for (const node of nodes) if (best === null || far(node) < far(best)) best = node;
  return best?.name ?? null;
}

/** The node that is nearest to a place. */
export function closest({ nodes }: Nodes, { x, y }: { x: number; y: number }): string | null {
  return nearest(nodes, (node) => Math.hypot(node.x - x, node.y - y));
}

/** The node to begin with: the uppermost of the leftmost. */
export function first({ nodes }: Nodes): string | null {
  return nearest(nodes, (node) => node.x + node.y / 1000);
}
