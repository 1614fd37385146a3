// What can be done by key, button and menu: one table for the toolbar, the keyboard and the help.
import type { Builder } from "./bridge";
import { clipOf } from "./graph/clipboard";
import { onGrid } from "./canvas/flow";
import { SIZE } from "./scene";
import type { Scene } from "./scene";

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
  /** As they are shown: "Ctrl+Z". Empty where there is none. */
  keys: string[];
  group: "Run" | "Edit" | "Wires" | "Walk" | "View";
  enabled(builder: Builder): boolean;
  run(builder: Builder): void;
}

const PUSH = 40;
const NUDGE = 8;
const ZOOM = 1.25;
const COPIED_BY = 32;

/** What was copied last, for where the system's clipboard cannot be read. */
let copiedLast = "";

/** The nodes that an action is for: the selected ones, else the one that has the focus. */
export function targets(builder: Builder): string[] {
  const there = new Set(builder.scene.nodes.map((node) => node.name));
  const selected = builder.selection.filter((name) => there.has(name));
  if (selected.length > 0 || builder.wires.length > 0) return selected;
  const focused = builder.canvas.current?.focused() ?? null;
  return focused !== null && there.has(focused) ? [focused] : [];
}

export const isRunning = ({ status }: Builder): boolean =>
  status.state === "preparing" || status.state === "running";

/** "mlp", "mlp and tree", "3 nodes". */
export function named(names: readonly string[]): string {
  return names.length <= 2 ? names.join(" and ") : `${names.length} nodes`;
}

const always = () => true;
const some = (builder: Builder) => targets(builder).length > 0;
const filled = (builder: Builder) => builder.scene.nodes.length > 0;

/** The clip of what is selected; null when that is nothing. */
export function clip(builder: Builder): string | null {
  const names = targets(builder);
  if (names.length === 0) return null;
  copiedLast = clipOf(builder.scene, names);
  builder.tell(`${named(names)} copied`);
  return copiedLast;
}

export function paste(builder: Builder, text: string): void {
  if (text === "") return;
  const [x, y] = builder.canvas.current?.middle() ?? [0, 0];
  const at = onGrid({ x: x - SIZE.width / 2, y: y - SIZE.height / 2 });
  builder.send({ op: "paste", clip: text, at: beside(builder.scene, at) });
}

/** The place, or beside it while a node stands on that: what is pasted twice is seen twice. */
export function beside({ nodes }: Pick<Scene, "nodes">, [x, y]: [number, number]): [number, number] {
  const isTaken = nodes.some(
    (node) => Math.abs(node.x - x) < COPIED_BY / 2 && Math.abs(node.y - y) < COPIED_BY / 2,
  );
  return isTaken ? beside({ nodes }, [x + COPIED_BY, y + COPIED_BY]) : [x, y];
}

async function copy(builder: Builder): Promise<void> {
  const text = clip(builder);
  if (text === null) return;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without a clipboard it can be pasted within this page.
  }
}

async function pasteFromClipboard(builder: Builder): Promise<void> {
  let text = copiedLast;
  try {
    text = (await navigator.clipboard.readText()) || copiedLast;
  } catch {
    // Not allowed, or none: what was copied here.
  }
  if (text === "") builder.say("There is nothing to paste: copy nodes first");
  else paste(builder, text);
}

function duplicate(builder: Builder): void {
  const names = new Set(targets(builder));
  const nodes = builder.scene.nodes.filter((node) => names.has(node.name));
  const at: [number, number] = [
    Math.min(...nodes.map((node) => node.x)) + COPIED_BY,
    Math.min(...nodes.map((node) => node.y)) + COPIED_BY * 2,
  ];
  const text = clipOf(builder.scene, [...names]);
  builder.send({ op: "paste", clip: text, at: beside(builder.scene, at) });
}

export function remove(builder: Builder): void {
  const nodes = targets(builder);
  const { wires } = builder;
  if (nodes.length === 0 && wires.length === 0) return;
  if (nodes.length === 0) builder.send({ op: "disconnect", wires });
  else builder.send({ op: "remove", nodes, wires });
  builder.select([]);
  const what = nodes.length > 0 ? named(nodes) : wires.length === 1 ? "wire" : `${wires.length} wires`;
  builder.tell(`${what} deleted`);
}

/** The focus into a part of the builder that may be folded away. */
function focus(builder: Builder, part: "palette" | "text", selector: string): void {
  builder.adjust({ [part]: true });
  requestAnimationFrame(() => builder.root.current?.querySelector<HTMLElement>(selector)?.focus());
}

function run(builder: Builder, until: string | null): void {
  const { limit, fresh } = builder.view;
  builder.send({ op: "run", until, limit, fresh });
}

function open(builder: Builder): void {
  const names = targets(builder);
  if (names.length === 0) return;
  builder.select(names);
  builder.ask({ type: "focus_panel", nodes: names });
}

function ways(
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

const BY: Record<Way, [number, number]> = { left: [-1, 0], right: [1, 0], up: [0, -1], down: [0, 1] };

const nudge = (builder: Builder, way: Way, step: number) =>
  builder.canvas.current?.nudge(BY[way][0] * step, BY[way][1] * step);

/** Part of a mode: not in the help's list, whose line for `c` says them. */
function connecting(name: "next" | "previous" | "accept" | "disconnect" | "leave"): Action {
  return {
    id: `connecting_${name}`,
    title: "",
    keys: [],
    group: "Wires",
    enabled: always,
    run: (builder) => builder.canvas.current?.connecting[name](),
  };
}

export const ACTIONS: readonly Action[] = [
  {
    id: "run",
    title: "Run",
    keys: ["R"],
    group: "Run",
    enabled: (builder) => filled(builder) && !isRunning(builder),
    run: (builder) => run(builder, null),
  },
  {
    id: "run_to_here",
    title: "Run to the selected node",
    keys: ["Shift+R"],
    group: "Run",
    enabled: (builder) => targets(builder).length === 1 && !isRunning(builder),
    run: (builder) => run(builder, targets(builder)[0] ?? null),
  },
  {
    id: "stop",
    title: "Stop",
    keys: [],
    group: "Run",
    enabled: isRunning,
    run: (builder) => builder.send({ op: "stop" }),
  },
  {
    id: "undo",
    title: "Undo",
    keys: ["Ctrl+Z"],
    group: "Edit",
    enabled: (builder) => builder.scene.undo !== null,
    run: (builder) => builder.send({ op: "undo" }),
  },
  {
    id: "redo",
    title: "Redo",
    keys: ["Ctrl+Shift+Z", "Ctrl+Y"],
    group: "Edit",
    enabled: (builder) => builder.scene.redo !== null,
    run: (builder) => builder.send({ op: "redo" }),
  },
  {
    id: "cut",
    title: "Cut",
    keys: ["Ctrl+X"],
    group: "Edit",
    enabled: some,
    run: (builder) => void copy(builder).then(() => remove(builder.now())),
  },
  {
    id: "copy",
    title: "Copy",
    keys: ["Ctrl+C"],
    group: "Edit",
    enabled: some,
    run: (builder) => void copy(builder),
  },
  {
    id: "paste",
    title: "Paste",
    keys: ["Ctrl+V"],
    group: "Edit",
    enabled: always,
    run: (builder) => void pasteFromClipboard(builder),
  },
  {
    id: "duplicate",
    title: "Duplicate",
    keys: ["Ctrl+D"],
    group: "Edit",
    enabled: some,
    run: duplicate,
  },
  {
    id: "delete",
    title: "Delete",
    keys: ["D", "Delete"],
    group: "Edit",
    enabled: (builder) => some(builder) || builder.wires.length > 0,
    run: remove,
  },
  {
    id: "select_all",
    title: "Select all",
    keys: ["Ctrl+A"],
    group: "Edit",
    enabled: filled,
    run: (builder) => builder.select(builder.scene.nodes.map((node) => node.name)),
  },
  {
    id: "deselect",
    title: "Select nothing; give up a wire",
    keys: ["Escape"],
    group: "Edit",
    enabled: always,
    run: (builder) => builder.canvas.current?.cancel() || builder.select([]),
  },
  {
    id: "connect",
    title: "Connect or disconnect: ↑ ↓ choose, Enter connects, Delete disconnects, Escape leaves",
    keys: ["C"],
    group: "Wires",
    enabled: some,
    run: (builder) => builder.canvas.current?.connect(),
  },
  connecting("next"),
  connecting("previous"),
  connecting("accept"),
  connecting("disconnect"),
  connecting("leave"),
  {
    id: "open",
    title: "Open the node's properties; Escape comes back",
    keys: ["Enter"],
    group: "Edit",
    enabled: some,
    run: open,
  },
  ...ways("walk", "To the node {}", "", (builder, way) => builder.canvas.current?.walk(way, false)),
  ...ways("extend", "Select the node {} too", "Shift+", (builder, way) =>
    builder.canvas.current?.walk(way, true),
  ),
  ...ways("nudge", "Move {}", "Alt+", (builder, way) => nudge(builder, way, NUDGE)),
  ...ways("push", "Move far {}", "Alt+Shift+", (builder, way) => nudge(builder, way, PUSH)),
  {
    id: "arrange",
    title: "Arrange",
    keys: ["L"],
    group: "View",
    enabled: filled,
    run: (builder) => {
      builder.send({ op: "arrange", nodes: null });
      builder.tell("nodes arranged");
    },
  },
  {
    id: "fit",
    title: "Fit",
    keys: ["F"],
    group: "View",
    enabled: filled,
    run: (builder) => builder.canvas.current?.fit(),
  },
  {
    id: "zoom_in",
    title: "Zoom in",
    keys: ["+"],
    group: "View",
    enabled: always,
    run: (builder) => builder.canvas.current?.zoom(ZOOM),
  },
  {
    id: "zoom_out",
    title: "Zoom out",
    keys: ["−"],
    group: "View",
    enabled: always,
    run: (builder) => builder.canvas.current?.zoom(1 / ZOOM),
  },
  {
    id: "reveal",
    title: "Bring the selected nodes to the middle",
    keys: [],
    group: "View",
    enabled: some,
    run: (builder) => builder.canvas.current?.reveal(targets(builder)),
  },
  {
    id: "minimap",
    title: "Overview map",
    keys: ["M"],
    group: "View",
    enabled: filled,
    run: (builder) => builder.adjust({ minimap: !showsMinimap(builder) }),
  },
  {
    id: "palette",
    title: "Show or hide the palette",
    keys: [],
    group: "View",
    enabled: always,
    run: (builder) => builder.adjust({ palette: !builder.view.palette }),
  },
  {
    id: "search",
    title: "Add: search the palette",
    keys: ["A"],
    group: "Edit",
    enabled: always,
    run: (builder) => focus(builder, "palette", ".mm-palette input"),
  },
  {
    id: "text",
    title: "To the pipeline's text",
    keys: ["T"],
    group: "View",
    enabled: always,
    run: (builder) => focus(builder, "text", ".mm-text textarea"),
  },
  {
    id: "register",
    title: "New model…",
    keys: [],
    group: "Edit",
    enabled: always,
    run: (builder) => builder.send({ op: "register" }),
  },
  {
    id: "refresh",
    title: "Look again at the notebook's variables",
    keys: [],
    group: "Edit",
    enabled: always,
    run: (builder) => builder.send({ op: "refresh" }),
  },
  {
    id: "insert",
    title: "Insert as cell",
    keys: [],
    group: "Edit",
    enabled: filled,
    run: (builder) => builder.ask({ type: "insert", name: builder.scene.name }),
  },
  {
    id: "help",
    title: "Keys and help",
    keys: ["?"],
    group: "View",
    enabled: always,
    run: (builder) => builder.adjust({ help: true }),
  },
];

const BY_ID = new Map(ACTIONS.map((action) => [action.id, action]));

export function action(id: ActionId): Action {
  const found = BY_ID.get(id);
  if (found === undefined) throw new Error(`no action ${id}`);
  return found;
}

/** Do it where it can be done; false where it cannot. */
export function perform(builder: Builder, id: ActionId): boolean {
  const found = action(id);
  if (!found.enabled(builder)) return false;
  found.run(builder);
  return true;
}

const MANY = 12;

export const showsMinimap = ({ view, scene }: Builder): boolean =>
  view.minimap ?? scene.nodes.length > MANY;
