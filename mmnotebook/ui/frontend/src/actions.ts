// All actions of keys and buttons: one table for the toolbar, the keyboard and the help.

import type { Action, ActionId } from "./action";
import { always, connecting, filled, NUDGE, nudge, PUSH, some, ways, ZOOM } from "./action";
import type { Builder } from "./bridge";
import {
  copy,
  duplicate,
  focus,
  isRunning,
  open,
  pasteFromClipboard,
  remove,
  run,
  showsMinimap,
  targets,
} from "./commands";

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
    title: "Clear the selection; cancel a wire",
    keys: ["Escape"],
    group: "Edit",
    enabled: always,
    run: (builder) => builder.canvas.current?.cancel() || builder.select([]),
  },
  {
    id: "connect",
    title: "Connect or disconnect: ↑ ↓ choose, Enter connects, Delete disconnects, Escape cancels",
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
    title: "Open the node's properties; Escape returns",
    keys: ["Enter"],
    group: "Edit",
    enabled: some,
    run: open,
  },
  ...ways("walk", "Go to the next node {}", "", (builder, way) =>
    builder.canvas.current?.walk(way, false),
  ),
  ...ways("extend", "Extend the selection {}", "Shift+", (builder, way) =>
    builder.canvas.current?.walk(way, true),
  ),
  ...ways("nudge", "Move {}", "Alt+", (builder, way) => nudge(builder, way, NUDGE)),
  ...ways("push", "Move farther {}", "Alt+Shift+", (builder, way) => nudge(builder, way, PUSH)),
  {
    id: "arrange",
    title: "Arrange",
    keys: ["L"],
    group: "View",
    enabled: filled,
    run: (builder) => {
      builder.send({ op: "arrange", nodes: null });
      builder.announce("nodes arranged");
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
    title: "Center the selected nodes",
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
    title: "Go to the pipeline's text",
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
    title: "Refresh variables",
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

/** Perform an action if it is enabled; return whether it is. */
export function perform(builder: Builder, id: ActionId): boolean {
  const found = action(id);
  if (!found.enabled(builder)) return false;
  found.run(builder);
  return true;
}
