// Navigation with the arrow keys: along wires, and to the nodes above and below. Pure.
import type { Way } from "../action";
import type { Scene, SceneNode } from "../scene";

type Nodes = Pick<Scene, "nodes">;

/** Return the node in a direction; null if there is none. */
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

/** Return the nearest node above or below; horizontal distance counts twice. */
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

/** Return the node that is nearest to a point. */
export function closest({ nodes }: Nodes, { x, y }: { x: number; y: number }): string | null {
  return nearest(nodes, (node) => Math.hypot(node.x - x, node.y - y));
}

/** Return the first node: the topmost of the leftmost. */
export function first({ nodes }: Nodes): string | null {
  return nearest(nodes, (node) => node.x + node.y / 1000);
}
