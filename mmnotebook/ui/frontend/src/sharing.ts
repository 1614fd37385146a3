// Structural sharing: new values contain the old objects where they are equal, so that those are not
// rendered again. Pure.
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

/** Return the old object if the new one is equal to it. */
export const shared = <T>(before: T | undefined, after: T): T =>
  before !== undefined && dequal(before, after) ? before : after;

/** Creates an object per key; returns the previous object if its input is equal to the previous one. */
export class Sharing<From, To> {
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

export function sharedScene(before: Scene, after: Partial<Scene>): Scene {
  const next = { ...EMPTY, ...after };
  const old = new Map(before.nodes.map((node) => [node.name, node]));
  return { ...next, nodes: next.nodes.map((node) => shared(old.get(node.name), node)) };
}

export function sharedStatus(before: Status, after: Partial<Status>): Status {
  const next = { ...IDLE, ...after };
  const nodes = Object.entries(next.nodes).map(([name, status]) => [
    name,
    shared(before.nodes[name], status),
  ]);
  return { ...next, nodes: Object.fromEntries(nodes) };
}

/** Whether a run is in progress. */
export const isInProgress = ({ state }: Status): boolean =>
  state === "preparing" || state === "running";
