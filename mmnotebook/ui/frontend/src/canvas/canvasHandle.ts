// What actions can ask of the canvas, and where the keyboard's focus is on it.
import { useReactFlow, useStoreApi } from "@xyflow/react";
import { useEffect, useLayoutEffect, useRef, useState } from "react";
import type { FocusEvent, RefObject } from "react";

import { named, targets } from "../deeds";
import type { Way } from "../action";
import { useBuilder } from "../bridge";
import { heightOf } from "./flow";
import type { KeyPlug } from "./keyPlug";
import { SIZE } from "../scene";
import type { SceneNode } from "../scene";
import { closest, first, neighbour } from "./walking";

const FIT = { padding: 0.12, maxZoom: 1 };
const MARGIN = 16;
const FRAMES = 30; // to wait for a node that comes into sight

interface Size {
  width: number;
  height: number;
}

const smoothly = (): number =>
  window.matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 180;

export function useHandle(
  area: RefObject<HTMLDivElement | null>,
  keys: KeyPlug,
  cancel: () => boolean,
) {
  const builder = useBuilder();
  const { scene, selection, canvas } = builder;
  const flow = useReactFlow();
  const store = useStoreApi();
  const [roving, setRoving] = useState<string | null>(null);
  const [within, setWithin] = useState(false);
  const isMoved = useRef(false);
  const isKeeping = useRef(false);

  const there = new Set(scene.nodes.map((node) => node.name));
  const isThere = (name: string | null | undefined): name is string => there.has(name ?? "");
  const picked = within ? [roving, selection[0]] : [selection[0], roving];
  const tab = picked.find(isThere) ?? first(scene);

  /** Is all of a node in sight? */
  function isSeen(name: string, { width, height }: Size = store.getState()): boolean {
    const node = builder.now().scene.nodes.find((other) => other.name === name);
    if (node === undefined) return true;
    const { transform } = store.getState();
    const [left, top, zoom] = transform;
    const x = node.x * zoom + left;
    const y = node.y * zoom + top;
    const right = x + SIZE.width * zoom;
    const bottom = y + heightOf(node.outputs.length) * zoom;
    return x >= MARGIN && y >= MARGIN && right <= width - MARGIN && bottom <= height - MARGIN;
  }

  function show(name: string): void {
    const node = builder.now().scene.nodes.find((other) => other.name === name);
    if (node === undefined || isSeen(name)) return;
    const { transform } = store.getState();
    const zoom = Math.max(transform[2], 0.5);
    const middle = { x: node.x + SIZE.width / 2, y: node.y + SIZE.height / 2 };
    void flow.setCenter(middle.x, middle.y, { zoom, duration: smoothly() });
  }

  function focus(name: string | null, frames = FRAMES): void {
    if (name === null) return area.current?.focus();
    const found = area.current?.querySelector<HTMLElement>(
      `.react-flow__node[data-id="${CSS.escape(name)}"]`,
    );
    if (found) found.focus({ preventScroll: true });
    else if (frames > 0) requestAnimationFrame(() => focus(name, frames - 1));
  }

  function go(name: string | null): void {
    if (name !== null) {
      setRoving(name);
      show(name);
    }
    focus(name);
  }

  function focused(): string | null {
    const active = (area.current?.getRootNode() as Document | ShadowRoot | undefined)?.activeElement;
    if (!active || !area.current?.contains(active)) return null;
    return active.closest<HTMLElement>(".react-flow__node")?.dataset["id"] ?? null;
  }

  function walk(way: Way, extend: boolean): void {
    const from = focused();
    const to = from === null ? tab : neighbour(scene, from, way);
    if (to === null) return builder.tell(`no node ${SAID[way]} ${from ?? ""}`);
    const kept = extend ? selection.filter((name) => name !== to) : [];
    builder.select(extend ? [...kept, to] : [to]);
    go(to);
  }

  function nudge(x: number, y: number): void {
    const names = new Set(targets(builder));
    const moved = scene.nodes.filter((node) => names.has(node.name));
    if (moved.length === 0) return;
    const places = moved.map((node) => [node.name, [node.x + x, node.y + y] as [number, number]]);
    builder.send({ op: "move", places: Object.fromEntries(places) });
    builder.tell(`${named([...names])} moved`);
  }

  function fit(): void {
    isMoved.current = false;
    void flow.fitView({ ...FIT, duration: smoothly() });
  }

  function middle(): [number, number] {
    const { transform, width, height } = store.getState();
    return [(width / 2 - transform[0]) / transform[2], (height / 2 - transform[1]) / transform[2]];
  }

  useLayoutEffect(() => {
    canvas.current = {
      fit,
      zoom: (factor) => {
        isMoved.current = true;
        void flow.zoomTo(flow.getZoom() * factor, { duration: smoothly() });
      },
      reveal: (names) => {
        const nodes = names.map((id) => ({ id }));
        isMoved.current = true;
        void flow.fitView({ ...FIT, nodes, minZoom: 0.5, duration: smoothly() });
      },
      hold: () => {
        isMoved.current = true;
      },
      show,
      middle,
      focus: (name) => go(name ?? tab),
      focused,
      walk,
      nudge,
      cancel,
      connect: keys.begin,
      isConnecting: () => keys.isOn,
      connecting: keys,
    };
    return () => {
      canvas.current = null;
    };
  });

  // The first width is not the last one: fit again until the user moves the view, and then too when
  // it does not show the whole graph any more.
  useEffect(() => {
    const element = area.current;
    if (element === null) return;
    let size: Size = { width: 0, height: 0 };
    const isWhole = () => builder.now().scene.nodes.every(({ name }) => isSeen(name, size));
    const observer = new ResizeObserver(() => {
      const wasWhole = isWhole();
      size = { width: element.clientWidth, height: element.clientHeight };
      // Without nodes React Flow would do it later, when the first one comes.
      if (builder.now().scene.nodes.length === 0) return;
      if (!isMoved.current || (wasWhole && !isWhole())) void flow.fitView(FIT);
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [area, flow]);

  // The focus stays on the canvas when the node that had it is gone: it goes to the nearest.
  const last = useRef<SceneNode | null>(null);
  useEffect(() => {
    const held = scene.nodes.find((node) => node.name === roving);
    if (held !== undefined) last.current = held;
    else if (within && last.current !== null) {
      const from = last.current;
      last.current = null;
      go(selection.find(isThere) ?? closest(scene, from));
    }
  }, [scene.nodes, roving, within]);

  // It follows a selection that was made elsewhere: what was pasted or added is what keys act on.
  const followed = useRef<readonly string[] | null>(null);
  useEffect(() => {
    const [only, ...more] = selection;
    const isHere = focused() !== null || area.current?.matches(":focus");
    if (followed.current === selection || more.length > 0 || !isThere(only)) return;
    followed.current = selection;
    if (isHere && focused() !== only) go(only);
  }, [scene.nodes, selection]);

  /** A node that leaves the sight is drawn no more: the canvas keeps the focus for it. */
  function keepFocus(): void {
    const root = area.current?.getRootNode() as Document | ShadowRoot | undefined;
    const active = root?.activeElement ?? null;
    if (!within || (active !== null && active !== document.body)) return;
    isKeeping.current = true;
    area.current?.focus({ preventScroll: true });
    isKeeping.current = false;
  }

  // What comes in must be seen.
  const known = useRef<ReadonlySet<string>>(new Set());
  useEffect(() => {
    const names = scene.nodes.map((node) => node.name);
    const came = names.filter((name) => !known.current.has(name));
    known.current = new Set(names);
    const [only] = came;
    if (only === undefined) return;
    if (isMoved.current && came.length === 1) show(only);
    else if (!isMoved.current || !came.every((name) => isSeen(name))) {
      void flow.fitView({ ...FIT, duration: smoothly() });
    }
  }, [scene.nodes]);

  return {
    tab,
    within,
    viewportEvents: {
      // A mere click begins a move too, and ends it where it began.
      onMove(event: unknown) {
        if (event !== null) isMoved.current = true;
        requestAnimationFrame(keepFocus);
      },
    },
    focusEvents: {
      onFocus(event: FocusEvent<HTMLDivElement>) {
        setWithin(true);
        const name = (event.target as HTMLElement).closest<HTMLElement>(".react-flow__node");
        if (name?.dataset["id"]) setRoving(name.dataset["id"]);
        const isEntered = event.target === event.currentTarget && event.target.matches(":focus-visible");
        if (isEntered && tab !== null && !isKeeping.current) go(tab);
      },
      onBlur(event: FocusEvent<HTMLDivElement>) {
        const isGone = event.relatedTarget === null && !event.target.isConnected;
        if (isGone || event.currentTarget.contains(event.relatedTarget)) return;
        setWithin(false);
        if (keys.isOn) keys.leave();
      },
    },
  };
}

const SAID: Record<Way, string> = {
  left: "before",
  right: "after",
  up: "above",
  down: "below",
};
