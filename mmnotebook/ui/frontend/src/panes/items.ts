// The items of the palette: search, and the commands that add them. Pure.

import type { Command, End, PaletteItem, PaletteSection, Scene } from "../scene";

/** The MIME type of a dragged item; its data is JSON. */
export const DRAGGED = "application/x-mmnotebook";

/** Return the items that contain all words of the query, without empty sections. */
export function filtered(sections: readonly PaletteSection[], query: string): PaletteSection[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return [...sections];
  return sections
    .map((section) => ({
      ...section,
      items: section.items.filter((item) => {
        const text = [section.title, item.title, item.detail, item.kind ?? ""].join(" ");
        return words.every((word) => text.toLowerCase().includes(word));
      }),
    }))
    .filter((section) => section.items.length > 0);
}

/** Return the output to connect a new step to: the first free one, if a single node is selected. */
export function freeOutput(scene: Pick<Scene, "nodes">, selection: readonly string[]): End | null {
  const [name] = selection;
  const node = scene.nodes.find((other) => other.name === name);
  if (selection.length !== 1 || node === undefined) return null;
  // A single output can have many wires; of several branches, the first one without a wire is used.
  if (node.outputs.length === 1) return [node.name, node.outputs[0] ?? null];
  const wires = scene.nodes.flatMap((other) => other.inputs);
  const free = node.outputs.find(
    (port) => !wires.some((wire) => wire.node === node.name && wire.port === port),
  );
  return free === undefined ? null : [node.name, free];
}

/** Return the command that adds an item: where it was dropped, or after the selected node. */
export function adding(
  item: PaletteItem,
  scene: Pick<Scene, "nodes">,
  selection: readonly string[],
  at: [number, number] | null = null,
): Command {
  if (item.template !== undefined) {
    return { op: "template", name: item.template, at, ...(item.params && { fill: item.params }) };
  }
  const kind = item.kind ?? "";
  const starts = kind === "source" || kind === "read";
  const after = at === null && !starts ? freeOutput(scene, selection) : null;
  return { op: "add", kind, params: item.params ?? {}, at, after };
}
