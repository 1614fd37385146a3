// New values with the old objects in them wherever nothing has changed: what is drawn of it stays. Pure.
import { dequal } from "dequal/lite";

import type { Scene, Status } from "./scene";

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

/** The old object if the new one is equal to it. */
export const steady = <T>(before: T | undefined, after: T): T =>
  before !== undefined && dequal(before, after) ? before : after;

/** Makes an object for each key; returns the previous one while what it is made of is equal. */
export class Steady<From, To> {
  private last = new Map<string, { from: From; to: To }>();

  constructor(private readonly make: (from: From) => To) {}

  all(values: readonly [key: string, from: From][]): To[] {
    const made = values.map(([key, from]) => {
      const was = this.last.get(key);
      const isSame = was !== undefined && dequal(was.from, from);
      return [key, isSame ? was : { from, to: this.make(from) }] as const;
    });
    this.last = new Map(made);
    return made.map(([, { to }]) => to);
  }
}

export function steadyScene(before: Scene, after: Partial<Scene>): Scene {
  const next = { ...EMPTY, ...after };
  const old = new Map(before.nodes.map((node) => [node.name, node]));
  return { ...next, nodes: next.nodes.map((node) => steady(old.get(node.name), node)) };
}

export function steadyStatus(before: Status, after: Partial<Status>): Status {
  const next = { ...IDLE, ...after };
  const nodes = Object.entries(next.nodes).map(([name, status]) => [
    name,
    steady(before.nodes[name], status),
  ]);
  return { ...next, nodes: Object.fromEntries(nodes) };
}

/** Is that the status of a run that is not over? */
export const goesOn = ({ state }: Status): boolean => state === "preparing" || state === "running";
