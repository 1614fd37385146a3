// The type of an action, and actions that are similar: those with a direction, those of the connect mode.
import type { Builder } from "./bridge";
import { targets } from "./commands";

export type ActionId =
  | "run"
  | "run_to_here"
  | "stop"
  | "undo"
  | "redo"
  | "copy"
  | "cut"
  | "paste"
  | "duplicate"
  | "delete"
  | "select_all"
  | "arrange"
  | "fit"
  | "zoom_in"
  | "zoom_out"
  | "reveal"
  | "minimap"
  | "palette"
  | "search"
  | "text"
  | "register"
  | "refresh"
  | "insert"
  | "help"
  | "open"
  | "connect"
  | "deselect"
  | `walk_${Way}`
  | `extend_${Way}`
  | `nudge_${Way}`
  | `push_${Way}`
  | `connecting_${"next" | "previous" | "accept" | "disconnect" | "leave"}`;
export type Way = "left" | "right" | "up" | "down";

export interface Action {
  id: ActionId;
  title: string;
  /** As they are shown: "Ctrl+Z"; empty if the action has none. */
  keys: string[];
  group: "Run" | "Edit" | "Wires" | "Walk" | "View";
  enabled(builder: Builder): boolean;
  run(builder: Builder): void;
}

export const PUSH = 40;
export const NUDGE = 8;
export const ZOOM = 1.25;

export const always = () => true;
export const some = (builder: Builder) => targets(builder).length > 0;
export const filled = (builder: Builder) => builder.scene.nodes.length > 0;

export function ways(
  name: "walk" | "extend" | "nudge" | "push",
  title: string,
  keys: string,
  does: (builder: Builder, way: Way) => void,
): Action[] {
  const arrows = { left: "←", right: "→", up: "↑", down: "↓" };
  return (["left", "right", "up", "down"] as const).map((way) => ({
    id: `${name}_${way}` as const,
    title: title.replace("{}", { left: "left", right: "right", up: "up", down: "down" }[way]),
    keys: [keys + arrows[way]],
    group: "Walk",
    enabled: filled,
    run: (builder: Builder) => does(builder, way),
  }));
}

const BY: Record<Way, [number, number]> = {
  left: [-1, 0],
  right: [1, 0],
  up: [0, -1],
  down: [0, 1],
};

export const nudge = (builder: Builder, way: Way, step: number) =>
  builder.canvas.current?.nudge(BY[way][0] * step, BY[way][1] * step);

/** An action of the connect mode; the help lists it in the line for `c` only. */
export function connecting(name: "next" | "previous" | "accept" | "disconnect" | "leave"): Action {
  return {
    id: `connecting_${name}`,
    title: "",
    keys: [],
    group: "Wires",
    enabled: always,
    run: (builder) => builder.canvas.current?.connecting[name](),
  };
}
