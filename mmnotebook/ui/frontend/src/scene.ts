// The types of what Python sends to the canvas, and the canvas to Python.

/** The size of a node in canvas units; the same as SIZE in mmnotebook/editing/node_positions.py. */
export const SIZE = { width: 168, height: 56 } as const;

export type Gather = "join" | "union" | null;
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** The selected part of a value: a field, several, all but some, or null for the whole value. */
export type Select = string | string[] | { drop: string[] } | null;

/** One input of a node: the output `port` of `node`. */
export interface Input {
  node: string;
  port: string | null;
  select: Select;
  label?: string | null;
}

/** A node as in the file format. */
export interface GraphNode {
  name: string;
  kind: string;
  params: { [name: string]: Json };
  inputs: Input[];
  gather: Gather;
}

export interface SceneNode extends GraphNode {
  /** The texts of its card: name and description ("model mlp · torch", "split 0.9 / 0.1"). */
  title: string;
  detail: string;
  x: number;
  y: number;
  /** Its outputs: [null] for a single one, the branches of a split or a switch, [] if no step can follow. */
  outputs: (string | null)[];
  /** Whether it can have inputs. */
  takes: boolean;
  problems: string[];
}

export interface Group {
  name: string;
  members: string[];
  gather: Gather;
}

export interface Problem {
  message: string;
  node: string | null;
  line: number | null;
  column: number | null;
}

export interface Scene {
  revision: number;
  name: string | null;
  nodes: SceneNode[];
  groups: Group[];
  /** The pipeline's text: canonical, or as it was typed if that is not valid. */
  text: string;
  /** The problems of a typed text; the nodes are then those of the last valid text. */
  textProblems: Problem[];
  problems: Problem[];
  /** Descriptions of what undo and redo would change; null if there is nothing. */
  undo: string | null;
  redo: string | null;
}

export interface Kind {
  name: string;
  summary: string;
  inputs: "none" | "any" | "join";
  ends: boolean;
}

export interface PaletteItem {
  /** The item to add: a step of this kind with these parameters, or a template. */
  kind?: string;
  template?: string;
  params?: { [name: string]: Json };
  title: string;
  detail: string;
}

export interface PaletteSection {
  /** "Models", "Data", "Functions", "Steps", "Templates". */
  title: string;
  items: PaletteItem[];
  /** The text that is shown if there are no items. */
  empty: string;
}

export type RunState = "idle" | "preparing" | "running" | "done" | "failed" | "stopped";

export interface NodeStatus {
  state: "waiting" | "running" | "done" | "cached" | "failed" | "stopped" | "stale";
  elementsIn: number | null;
  elementsOut: number | null;
  failed: number;
  /** The expected number of elements, for the progress bar; null if unknown. */
  total: number | null;
  seconds: number | null;
}

export interface Status {
  state: RunState;
  /** One line: "3 of 5 nodes · 1,200 elements", or the error. */
  line: string;
  nodes: { [name: string]: NodeStatus };
  /** The number of elements per wire. */
  wires: { source: string; port: string | null; target: string; count: number }[];
}

/** The number of the last command that Python has handled, by view. */
export type Seen = { [view: string]: number };

export type End = [source: string, port: string | null];
export type WireId = [source: string, port: string | null, target: string];

export type Command =
  | {
      op: "add";
      kind: string;
      params?: { [name: string]: Json };
      at?: [number, number] | null;
      after?: End | null;
    }
  | { op: "template"; name: string; at?: [number, number] | null; fill?: { [role: string]: Json } }
  | { op: "connect"; source: string; port: string | null; target: string; old?: WireId }
  | { op: "disconnect"; wires: WireId[] }
  | { op: "remove"; nodes: string[]; wires: WireId[] }
  | { op: "move"; places: { [name: string]: [number, number] } }
  | { op: "arrange"; nodes?: string[] | null }
  | { op: "rename"; old: string; new: string }
  | { op: "group"; name: string; nodes: string[]; gather: Gather }
  | { op: "ungroup"; name: string }
  | { op: "paste"; clip: string; at?: [number, number] | null }
  | { op: "text"; text: string; gesture?: string }
  | { op: "select"; nodes: string[] }
  | { op: "undo" | "redo" | "stop" | "refresh" | "register" | "example" }
  | { op: "run"; until: string | null; limit: number | null; fresh: boolean };
