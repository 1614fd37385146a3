// Pointer gestures on the canvas: moving, selecting, dropping. Each gesture sends one command.

import type { EdgeChange, NodeChange } from "@xyflow/react";
import { useReactFlow, useStoreApi } from "@xyflow/react";
import type { DragEvent, MouseEvent, RefObject } from "react";
import { useCallback, useEffect, useMemo, useState } from "react";
import { flushSync } from "react-dom";

import { useNow } from "../bridge";
import { adding, DRAGGED } from "../panes/items";
import type { PaletteItem } from "../scene";
import { SIZE } from "../scene";
import type { Point, StepNodeType, WireType } from "./flow";
import { nodeAt, onGrid, wireKey, wireOf } from "./flow";

const NOTHING: ReadonlyMap<string, Point> = new Map();

/** Moves and selections; `moved` has the positions of nodes that are being dragged. */
export function useChanges() {
  const now = useNow();
  const store = useStoreApi();
  const [moved, setMoved] = useState(NOTHING);

  const events = useMemo(() => {
    function drop(dragged: readonly StepNodeType[]): void {
      setMoved(NOTHING);
      const places = dragged
        .filter(({ data, position }) => data.step.x !== position.x || data.step.y !== position.y)
        .map(({ id, position }) => [id, onGrid(position)] as const);
      if (places.length > 0) now().send({ op: "move", places: Object.fromEntries(places) });
    }
    return {
      onNodesChange(changes: NodeChange<StepNodeType>[]) {
        const steps = changes.flatMap((change) =>
          change.type === "position" && change.position && change.dragging
            ? [[change.id, change.position] as const]
            : [],
        );
        if (steps.length > 0) setMoved((before) => new Map([...before, ...steps]));
        const builder = now();
        const selected = selectedAfter(builder.selection, changes);
        if (selected !== null) builder.select(selected, builder.wires);
      },
      onEdgesChange(changes: EdgeChange<WireType>[]) {
        const builder = now();
        // A selection box selects nodes only; it can only deselect wires.
        const isBox = store.getState().userSelectionRect !== null;
        const those = changes.filter(
          (change) => change.type === "select" && !(isBox && change.selected),
        );
        const selected = selectedAfter(builder.wires.map(wireKey), those);
        if (selected !== null) builder.select(builder.selection, selected.map(wireOf));
      },
      // If several nodes are selected, React Flow keeps the selection when one of them is clicked.
      onNodeClick(event: MouseEvent, { id }: StepNodeType) {
        const adds = event.ctrlKey || event.metaKey || event.shiftKey;
        if (!adds && now().selection.length > 1) now().select([id]);
      },
      onNodeDragStop: (_event: unknown, _node: StepNodeType, dragged: StepNodeType[]) =>
        drop(dragged),
      onSelectionDragStop: (_event: unknown, dragged: StepNodeType[]) => drop(dragged),
    };
  }, [now, store]);
  return { moved, events };
}

function selectedAfter(
  before: readonly string[],
  changes: readonly (NodeChange<StepNodeType> | EdgeChange<WireType>)[],
): string[] | null {
  const selects = changes.filter((change) => change.type === "select");
  if (selects.length === 0) return null;
  const selected = new Set(before);
  for (const { id, selected: isSelected } of selects) {
    if (isSelected) selected.add(id);
    else selected.delete(id);
  }
  return [...selected];
}

/** Shift+drag draws a selection box; Ctrl, Shift or Command with a click adds to the selection. */
export function useBoxing(area: RefObject<HTMLDivElement | null>) {
  const store = useStoreApi();
  const [boxing, setBoxing] = useState(false);
  useEffect(() => {
    // Captured before React Flow, so that the settings apply to this press.
    function onPointerDown(event: PointerEvent): void {
      if (!(event.target instanceof Node) || !area.current?.contains(event.target)) return;
      const adds = event.ctrlKey || event.metaKey || event.shiftKey;
      store.setState({ multiSelectionActive: adds });
      flushSync(() => setBoxing(event.shiftKey));
    }
    window.addEventListener("pointerdown", onPointerDown, true);
    return () => window.removeEventListener("pointerdown", onPointerDown, true);
  }, [area, store]);
  return { selectionOnDrag: boxing, panOnDrag: !boxing };
}

/** Accepts items that are dragged from the palette. */
export function useDropping() {
  const now = useNow();
  const { screenToFlowPosition } = useReactFlow();
  const [isOver, setOver] = useState(false);

  const onDragOver = useCallback((event: DragEvent) => {
    if (!event.dataTransfer.types.includes(DRAGGED)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    setOver(true);
  }, []);
  const onDragLeave = useCallback((event: DragEvent) => {
    const to = event.relatedTarget;
    if (!(to instanceof Node) || !event.currentTarget.contains(to)) setOver(false);
  }, []);
  const onDrop = useCallback(
    (event: DragEvent) => {
      setOver(false);
      const text = event.dataTransfer.getData(DRAGGED);
      if (text === "") return;
      event.preventDefault();
      event.stopPropagation();
      const item = JSON.parse(text) as PaletteItem;
      const point = screenToFlowPosition({ x: event.clientX, y: event.clientY });
      const { scene, send, announce, canvas } = now();
      canvas.current?.hold();
      // Dropped on a node, the step is added after it; elsewhere, at the pointer.
      const over = nodeAt(scene, point);
      const place = onGrid({ x: point.x - SIZE.width / 2, y: point.y - SIZE.height / 2 });
      if (over !== null) send(adding(item, scene, [over.name]));
      else send(adding(item, scene, [], place));
      announce(`${item.title} added`);
    },
    [now, screenToFlowPosition],
  );
  return { "data-dropping": isOver || undefined, onDragOver, onDragLeave, onDrop };
}
