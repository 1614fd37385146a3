// The functions of the actions, except for those of the canvas.
import type { Builder } from "./bridge";
import { onGrid } from "./canvas/flow";
import { clipOf } from "./graph/clipboard";
import type { Scene } from "./scene";
import { SIZE } from "./scene";
import { isInProgress } from "./sharing";

const COPIED_BY = 32;

/** The latest copy, for browsers that do not allow reading the clipboard. */
let copiedLast = "";

/** The nodes that an action applies to: the selected ones, else the focused one. */
export function targets(builder: Builder): string[] {
  const there = new Set(builder.scene.nodes.map((node) => node.name));
  const selected = builder.selection.filter((name) => there.has(name));
  if (selected.length > 0 || builder.wires.length > 0) return selected;
  const focused = builder.canvas.current?.focused() ?? null;
  return focused !== null && there.has(focused) ? [focused] : [];
}

export const isRunning = ({ status }: Builder): boolean => isInProgress(status);

/** "mlp", "mlp and tree", "3 nodes". */
export function named(names: readonly string[]): string {
  return names.length <= 2 ? names.join(" and ") : `${names.length} nodes`;
}

/** Return the selected nodes as text for the clipboard; null if no node is selected. */
export function clip(builder: Builder): string | null {
  const names = targets(builder);
  if (names.length === 0) return null;
  copiedLast = clipOf(builder.scene, names);
  builder.announce(`${named(names)} copied`);
  return copiedLast;
}

export function paste(builder: Builder, text: string): void {
  if (text === "") return;
  const [x, y] = builder.canvas.current?.middle() ?? [0, 0];
  const at = onGrid({ x: x - SIZE.width / 2, y: y - SIZE.height / 2 });
  builder.send({ op: "paste", clip: text, at: beside(builder.scene, at) });
}

/** Return the place or, if a node is there, a free place next to it. */
export function beside(
  { nodes }: Pick<Scene, "nodes">,
  [x, y]: [number, number],
): [number, number] {
  const isTaken = nodes.some(
    (node) => Math.abs(node.x - x) < COPIED_BY / 2 && Math.abs(node.y - y) < COPIED_BY / 2,
  );
  return isTaken ? beside({ nodes }, [x + COPIED_BY, y + COPIED_BY]) : [x, y];
}

export async function copy(builder: Builder): Promise<void> {
  const text = clip(builder);
  if (text === null) return;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without the clipboard, the text can be pasted within this page only.
  }
}

export async function pasteFromClipboard(builder: Builder): Promise<void> {
  let text = copiedLast;
  try {
    text = (await navigator.clipboard.readText()) || copiedLast;
  } catch {
    // No permission, or no clipboard: use the latest copy of this page.
  }
  if (text === "") builder.notify("There is nothing to paste: copy nodes first");
  else paste(builder, text);
}

export function duplicate(builder: Builder): void {
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
  const what =
    nodes.length > 0 ? named(nodes) : wires.length === 1 ? "wire" : `${wires.length} wires`;
  builder.announce(`${what} deleted`);
}

/** Show a part of the builder, and focus a control in it. */
export function focus(builder: Builder, part: "palette" | "text", selector: string): void {
  builder.adjust({ [part]: true });
  requestAnimationFrame(() => builder.root.current?.querySelector<HTMLElement>(selector)?.focus());
}

export function run(builder: Builder, until: string | null): void {
  const { limit, fresh } = builder.view;
  builder.send({ op: "run", until, limit, fresh });
}

export function open(builder: Builder): void {
  const names = targets(builder);
  if (names.length === 0) return;
  builder.select(names);
  builder.ask({ type: "focus_panel", nodes: names });
}

const MANY = 12;

export const showsMinimap = ({ view, scene }: Builder): boolean =>
  view.minimap ?? scene.nodes.length > MANY;
