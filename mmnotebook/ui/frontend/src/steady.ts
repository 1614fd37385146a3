// New values with the old objects in them wherever nothing has changed: what is drawn of it stays. Pure.
import type { Problem, Scene, SceneNode, Status } from "./scene";

export const EMPTY: Scene = {
  revision: 0,
  name: null,
  nodes: [],
  groups: [],
  text: "",
  textProblems: [],
  problems: [],
  undo: null,
  redo: null,
};
export const IDLE: Status = { state: "idle", line: "", nodes: {}, wires: [] };

export const same = (one: unknown, other: unknown) => JSON.stringify(one) === JSON.stringify(other);

/** The new values, and the old object wherever nothing has changed: what is drawn of it stays. */
export function steady<T>(
  before: readonly T[],
  after: readonly T[],
  key: (value: T) => string,
): T[] {
  const old = new Map(before.map((value) => [key(value), value]));
  return after.map((value) => {
    const was = old.get(key(value));
    return was !== undefined && same(was, value) ? was : value;
  });
}

export function steadyScene(before: Scene, after: Partial<Scene>): Scene {
  const next = { ...EMPTY, ...after };
  const byName = (node: SceneNode) => node.name;
  const byText = (problem: Problem) => JSON.stringify(problem);
  return {
    ...next,
    nodes: steady(before.nodes, next.nodes, byName),
    problems: steady(before.problems, next.problems, byText),
  };
}

export function steadyStatus(before: Status, after: Partial<Status>): Status {
  const next = { ...IDLE, ...after };
  const nodes = Object.entries(next.nodes).map(([name, status]) => {
    const was = before.nodes[name];
    return [name, was !== undefined && same(was, status) ? was : status];
  });
  return { ...next, nodes: Object.fromEntries(nodes) };
}

/** Is that the status of a run that is not over? */
export const goesOn = ({ state }: Status): boolean => state === "preparing" || state === "running";
