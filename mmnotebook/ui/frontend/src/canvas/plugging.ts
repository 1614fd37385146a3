// A wire that is being created: its fixed end, its possible other ends, and reasons against others. Pure.
import { refusal } from "../graph/connecting";
import { applied } from "../graph/operations";
import type { Command, Scene, SceneNode, WireId } from "../scene";
import { wireKey } from "./flow";

/** The end of the wire that is not dragged. */
export interface Fixed {
  node: string;
  port: string | null;
  /** Whether it is an output of `node`, or its input. */
  type: "source" | "target";
}

export interface Plug {
  from: Fixed;
  /** The existing wire whose end is dragged. */
  old: WireId | null;
  /** Why a node cannot be the other end, by node; null if it can. */
  refusals: ReadonlyMap<string, string | null>;
  /** The node that is suggested when connecting by keyboard. */
  candidate: string | null;
}

export function plug(scene: Scene, from: Fixed, old: WireId | null): Plug {
  const without = old === null ? scene : applied(scene, { op: "disconnect", wires: [old] });
  const refusals = new Map(scene.nodes.map((node) => [node.name, refused(without, from, node)]));
  return { from, old, refusals, candidate: null };
}

function refused(scene: Scene, from: Fixed, other: SceneNode): string | null {
  if (from.type === "source") return refusal(scene, from.node, from.port, other.name);
  if (other.outputs.length === 0) return refusal(scene, other.name, null, from.node);
  const reasons = other.outputs.map((port) => refusal(scene, other.name, port, from.node));
  return reasons.includes(null) ? null : (reasons[0] ?? null);
}

/** Whether this wire can be created. */
export function allows(scene: Scene, { old }: Plug, [source, port, target]: WireId): boolean {
  const without = old === null ? scene : applied(scene, { op: "disconnect", wires: [old] });
  return refusal(without, source, port, target) === null;
}

/** Return the wire from the fixed end to another node; null if it is not possible. */
export function wireTo(scene: Scene, { from, old }: Plug, other: SceneNode): WireId | null {
  if (from.type === "source") return [from.node, from.port, other.name];
  const without = old === null ? scene : applied(scene, { op: "disconnect", wires: [old] });
  const free = other.outputs.find((port) => refusal(without, other.name, port, from.node) === null);
  return free === undefined ? null : [other.name, free, from.node];
}

/** Return the commands that create a wire, or replace the old one. */
export function commandsFor([source, port, target]: WireId, old: WireId | null): Command[] {
  if (old === null) return [{ op: "connect", source, port, target }];
  if (wireKey(old) === wireKey([source, port, target])) return [];
  return [{ op: "connect", source, port, target, old }];
}
