// The viewport: which nodes are visible, and how the view follows new and moved nodes.
import { useReactFlow, useStoreApi } from "@xyflow/react";
import type { RefObject } from "react";
import { useEffect, useEffectEvent, useMemo, useRef } from "react";

import { useBuilder, useNow } from "../bridge";
import type { SceneNode } from "../scene";
import { SIZE } from "../scene";
import { heightOf } from "./flow";

const FIT = { padding: 0.12, maxZoom: 1 };
const MARGIN = 16;

interface Size {
  width: number;
  height: number;
}

const smoothly = (): number =>
  window.matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 180;

const isAt = (one?: SceneNode, other?: SceneNode): boolean =>
  one?.x === other?.x && one?.y === other?.y;

export type CanvasView = ReturnType<typeof useCanvasView>;

export function useCanvasView() {
  const now = useNow();
  const flow = useReactFlow();
  const store = useStoreApi();
  return useMemo(() => {
    /** Whether the user has moved the view. */
    let isMoved = false;
    /** Whether the view was fitted to the whole graph and not moved since. */
    let isFitted = false;

    function boxOf({ x, y, outputs }: SceneNode): [number, number, number, number] {
      const [left, top, zoom] = store.getState().transform;
      const bottom = y + heightOf(outputs.length);
      return [x * zoom + left, y * zoom + top, (x + SIZE.width) * zoom + left, bottom * zoom + top];
    }

    /** Whether all of a node is visible. */
    function isSeen(node: SceneNode, { width, height }: Size = store.getState()): boolean {
      const [left, top, right, bottom] = boxOf(node);
      const isBefore = right <= width - MARGIN && bottom <= height - MARGIN;
      return left >= MARGIN && top >= MARGIN && isBefore;
    }

    function isAnySeen(node: SceneNode): boolean {
      const [left, top, right, bottom] = boxOf(node);
      const { width, height } = store.getState();
      return right > 0 && bottom > 0 && left < width && top < height;
    }

    const isWhole = (size?: Size): boolean => now().scene.nodes.every((node) => isSeen(node, size));

    function fit(duration = smoothly()): void {
      isFitted = true;
      void flow.fitView({ ...FIT, duration });
    }

    function hold(): void {
      isMoved = true;
      isFitted = false;
    }

    function show(name: string): void {
      const node = now().scene.nodes.find((other) => other.name === name);
      if (node === undefined || isSeen(node)) return;
      const zoom = Math.max(flow.getZoom(), 0.5);
      const [x, y] = [node.x + SIZE.width / 2, node.y + SIZE.height / 2];
      isFitted = false;
      void flow.setCenter(x, y, { zoom, duration: smoothly() });
    }

    return {
      show,
      fit() {
        isMoved = false;
        fit();
      },
      zoom(factor: number): void {
        hold();
        void flow.zoomTo(flow.getZoom() * factor, { duration: smoothly() });
      },
      reveal(names: readonly string[]): void {
        hold();
        const nodes = names.map((id) => ({ id }));
        void flow.fitView({ ...FIT, nodes, minZoom: 0.5, duration: smoothly() });
      },
      hold,
      middle(): [number, number] {
        const { transform, width, height } = store.getState();
        const [left, top, zoom] = transform;
        return [(width / 2 - left) / zoom, (height / 2 - top) / zoom];
      },
      // The canvas is resized several times at first: fit again until the user moves the view; after
      // that, only if the whole graph was visible and no longer is.
      resized(before: Size, after: Size): void {
        // Without nodes, React Flow would fit the view later, to the first node.
        if (now().scene.nodes.length === 0) return;
        if (!isMoved || (isWhole(before) && !isWhole(after))) fit(0);
      },
      /** After a change: show new nodes, a graph that was wholly visible, and the focused node. */
      placed(before: readonly SceneNode[], focused: string | null): void {
        const { nodes } = now().scene;
        const known = new Set(before.map((node) => node.name));
        const came = nodes.filter((node) => !known.has(node.name));
        const [only] = came;
        const isFresh = only !== undefined && (!isMoved || !came.every((node) => isSeen(node)));
        const wasWhole = isFitted || before.every((node) => isSeen(node));
        const held = nodes.find((node) => node.name === focused);
        const was = before.find((node) => node.name === focused);
        const isMovedOut = !isAt(held, was) && held !== undefined && !isAnySeen(held);
        if (isMoved && only !== undefined && came.length === 1) show(only.name);
        else if (isFresh || (wasWhole && !isWhole())) fit();
        else if (isMovedOut) show(held.name);
      },
      events: {
        // Only a move by the user has an event; a click starts a move, too, but does not move the view.
        onMove(event: unknown): void {
          if (event !== null) hold();
        },
      },
    };
  }, [now, flow, store]);
}

/** Updates the view when the canvas is resized or its nodes change. */
export function useFollowing(
  area: RefObject<HTMLElement | null>,
  canvasView: CanvasView,
  focused: () => string | null,
): void {
  const nodes = useBuilder((builder) => builder.scene.nodes);

  useEffect(() => {
    const element = area.current;
    if (element === null) return;
    let before: Size = { width: 0, height: 0 };
    const observer = new ResizeObserver(() => {
      const size = { width: element.clientWidth, height: element.clientHeight };
      canvasView.resized(before, size);
      before = size;
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [area, canvasView]);

  const last = useRef<readonly SceneNode[]>([]);
  const follow = useEffectEvent((placed: readonly SceneNode[]) => {
    canvasView.placed(last.current, focused());
    last.current = placed;
  });
  useEffect(() => follow(nodes), [nodes]);
}
