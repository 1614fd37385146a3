// The methods of the canvas for actions, and its keyboard focus.

import type { FocusEvent, RefObject } from "react";
import { useEffect, useEffectEvent, useLayoutEffect, useRef, useState } from "react";
import type { Way } from "../action";
import { useBuilder, useNow } from "../bridge";
import { named, targets } from "../commands";
import type { SceneNode } from "../scene";
import { useCanvasView, useFollowing } from "./canvasView";
import { useKeeper } from "./keeper";
import type { KeyPlug } from "./keyPlug";
import { closest, first, neighbour } from "./walking";

export function useHandle(
  area: RefObject<HTMLDivElement | null>,
  keys: KeyPlug,
  cancel: () => boolean,
) {
  const scene = useBuilder((builder) => builder.scene);
  const selection = useBuilder((builder) => builder.selection);
  const now = useNow();
  const { canvas, select, send, announce } = now();
  const keeper = useKeeper(area);
  const canvasView = useCanvasView();
  const { focused } = keeper;
  const [roving, setRoving] = useState<string | null>(null);
  const [within, setWithin] = useState(false);

  const there = new Set(scene.nodes.map((node) => node.name));
  const isThere = (name: string | null | undefined): name is string => there.has(name ?? "");
  const picked = within ? [roving, selection[0]] : [selection[0], roving];
  const tab = picked.find(isThere) ?? first(scene);

  function go(name: string | null): void {
    if (name !== null) {
      setRoving(name);
      canvasView.show(name);
    }
    keeper.focus(name);
  }

  function walk(way: Way, extend: boolean): void {
    const from = focused();
    const to = from === null ? tab : neighbour(scene, from, way);
    if (to === null) {
      announce(`no node ${WHERE[way]} ${from ?? ""}`);
      return;
    }
    const kept = extend ? selection.filter((name) => name !== to) : [];
    select(extend ? [...kept, to] : [to]);
    go(to);
  }

  function nudge(x: number, y: number): void {
    const names = new Set(targets(now()));
    const moved = scene.nodes.filter((node) => names.has(node.name));
    if (moved.length === 0) return;
    const places = moved.map((node) => [node.name, [node.x + x, node.y + y] as [number, number]]);
    send({ op: "move", places: Object.fromEntries(places) });
    announce(`${named([...names])} moved`);
  }

  useLayoutEffect(() => {
    canvas.current = {
      ...canvasView,
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

  // When the focused node is removed, focus the nearest one, so that the focus stays on the canvas.
  const last = useRef<SceneNode | null>(null);
  const stay = useEffectEvent((nodes: readonly SceneNode[], name: string | null, isIn: boolean) => {
    const held = nodes.find((node) => node.name === name);
    if (held !== undefined) last.current = held;
    else if (isIn && last.current !== null) {
      const from = last.current;
      last.current = null;
      go(selection.find(isThere) ?? closest(scene, from));
    }
  });
  useEffect(() => stay(scene.nodes, roving, within), [scene.nodes, roving, within]);

  // Focus a node that was selected elsewhere, so that keys act on what was pasted or added.
  const followed = useRef<readonly string[] | null>(null);
  const follow = useEffectEvent((nodes: readonly SceneNode[], selected: readonly string[]) => {
    const [only, ...more] = selected;
    const isHere = focused() !== null || area.current?.matches(":focus");
    const isOne = more.length === 0 && nodes.some((node) => node.name === only);
    if (followed.current === selected || only === undefined || !isOne) return;
    followed.current = selected;
    if (isHere && focused() !== only) go(only);
  });
  useEffect(() => follow(scene.nodes, selection), [scene.nodes, selection]);

  useFollowing(area, canvasView, focused);

  return {
    tab,
    within,
    keeper,
    viewEvents: canvasView.events,
    focusEvents: {
      onFocus(event: FocusEvent<HTMLDivElement>) {
        setWithin(true);
        if (event.target === event.currentTarget) {
          const isEntered = event.target.matches(":focus-visible") && !keeper.isKeeping();
          if (isEntered && tab !== null) go(tab);
          return;
        }
        keeper.forget();
        const name = (event.target as HTMLElement).closest<HTMLElement>(".react-flow__node");
        if (name?.dataset.id) setRoving(name.dataset.id);
      },
      onBlur(event: FocusEvent<HTMLDivElement>) {
        const isGone = event.relatedTarget === null && !event.target.isConnected;
        if (isGone || event.currentTarget.contains(event.relatedTarget)) return;
        setWithin(false);
        keeper.forget();
        if (keys.isOn) keys.leave();
      },
    },
  };
}

const WHERE: Record<Way, string> = {
  left: "before",
  right: "after",
  up: "above",
  down: "below",
};
