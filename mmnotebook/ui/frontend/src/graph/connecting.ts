// Which wires are possible, and how they change the gather mode of their target: the counterpart of
// mmnotebook/editing/wire_rules.py. Both are tested with the cases in tests/cases/connections.json.

import type { Gather, Input, Scene, SceneNode } from "../scene";

type Nodes = Pick<Scene, "nodes">;
type End = Pick<Input, "node" | "port">;
/** For each split or switch upstream, the branches that the elements may have taken. */
type Arms = Map<string, Set<string>>;

const JOINS = new Set(["vote", "mean", "stack"]);
const LONGEST = 79;
const SHOWN = 5;

/** Return why this wire is not possible, in fewer than 80 characters; null if it is possible. */
export function refusal(
  scene: Nodes,
  source: string,
  port: string | null,
  target: string,
): string | null {
  const why = refused(new Map(scene.nodes.map((node) => [node.name, node])), source, port, target);
  const characters = Array.from(why ?? "");
  return characters.length <= LONGEST ? why : `${characters.slice(0, LONGEST - 1).join("")}…`;
}

function refused(
  nodes: Map<string, SceneNode>,
  source: string,
  port: string | null,
  target: string,
): string | null {
  const from = nodes.get(source);
  const into = nodes.get(target);
  if (from === undefined) return `there is no step ${source}`;
  if (into === undefined) return `there is no step ${target}`;
  if (!into.takes) {
    const what = into.kind === "source" ? "is data" : "reads files";
    return `${target} ${what}: it cannot have an input`;
  }
  if (source === target) return `${target} cannot feed itself`;
  const circle = circleOf(nodes, source, target);
  if (circle !== null) return `this would create a cycle: ${circle.join(" → ")}`;
  if (into.inputs.some((wire) => wire.node === source && wire.port === port)) {
    return `${target} already has this input`;
  }
  if (from.outputs.length === 0) return `nothing can follow ${source}`;
  return noBranch(from, port) ?? noJoin(nodes, into, { node: source, port });
}

function noBranch(node: SceneNode, port: string | null): string | null {
  const arms = node.outputs.filter((arm) => arm !== null);
  if (arms.length > 0 && port === null)
    return `${node.name} has several branches: ${arms.join(", ")}`;
  if (port !== null && !arms.includes(port)) return `${node.name} has no branch ${port}`;
  return null;
}

/** Return why this wire cannot be joined with the existing inputs; null if it can. */
function noJoin(nodes: Map<string, SceneNode>, into: SceneNode, wire: End): string | null {
  if (gatherOf(nodes, into, [...into.inputs, wire]) !== "join") return null;
  if (into.inputs.some((other) => other.node === wire.node)) {
    return `${into.name} joins ${wire.node} already, and a join takes one branch of each step`;
  }
  if (into.inputs.some((other) => (other.label ?? other.node) === wire.node)) {
    return `${into.name} already has an input with the key ${wire.node}`;
  }
  return null;
}

/** Return the shortest cycle from `target` to `source` and back, abbreviated; null if there is none. */
function circleOf(nodes: Map<string, SceneNode>, source: string, target: string): string[] | null {
  const feeds = new Map<string, string[]>([...nodes.keys()].map((name) => [name, []]));
  for (const node of nodes.values()) {
    for (const wire of node.inputs) feeds.get(wire.node)?.push(node.name);
  }
  const came = new Map<string, string>();
  const queue = [target];
  for (let at = 0; at < queue.length && !came.has(source); at += 1) {
    const here = queue[at] as string;
    for (const name of feeds.get(here) ?? []) {
      if (came.has(name)) continue;
      came.set(name, here);
      queue.push(name);
    }
  }
  if (!came.has(source)) return null;
  const way = [source];
  while (came.get(way[0] as string) !== target) way.unshift(came.get(way[0] as string) as string);
  way.unshift(target);
  const middle = way.length < SHOWN ? way : [...way.slice(0, 2), "…", way.at(-1) as string];
  return [...middle, target];
}

/**
 * Return the gather mode of a node with new inputs.
 *
 * The second input decides it: outputs of different branches of one split or switch are united, as
 * each element takes one of them; all others are joined. Further inputs do not change the mode.
 */
export function gatherOf(
  nodes: ReadonlyMap<string, SceneNode>,
  node: SceneNode,
  inputs: readonly End[],
): Gather {
  if (JOINS.has(node.kind)) return "join";
  const [one, other] = inputs;
  if (one === undefined || other === undefined) return null;
  if (inputs.length > 2 && node.gather !== null) return node.gather;
  const found = new Map<string, Arms>();
  return areApart(armsOf(nodes, one, found), armsOf(nodes, other, found)) ? "union" : "join";
}

/** Return the gather mode after inputs were removed. */
export function gatherLeft(node: SceneNode, kept: readonly Input[]): Gather {
  if (kept.length > 1) return node.gather;
  return kept.length > 0 && JOINS.has(node.kind) ? "join" : null;
}

/** Return, for each split or switch that all elements of an output passed, their possible branches. */
function armsOf(nodes: ReadonlyMap<string, SceneNode>, end: End, found: Map<string, Arms>): Arms {
  let arms = found.get(end.node);
  if (arms === undefined) {
    found.set(end.node, new Map()); // ends the recursion in a cycle
    const ways = (nodes.get(end.node)?.inputs ?? []).map((wire) => armsOf(nodes, wire, found));
    arms = new Map(
      [...(ways[0]?.keys() ?? [])]
        .filter((fork) => ways.every((way) => way.has(fork)))
        .map((fork) => [fork, new Set(ways.flatMap((way) => [...(way.get(fork) ?? [])]))]),
    );
    found.set(end.node, arms);
  }
  return end.port === null ? arms : new Map(arms).set(end.node, new Set([end.port]));
}

/** Whether a split or switch sends each element to at most one of the two. */
function areApart(one: Arms, other: Arms): boolean {
  return [...one].some(([fork, arms]) => {
    const there = other.get(fork);
    return there !== undefined && ![...arms].some((arm) => there.has(arm));
  });
}
