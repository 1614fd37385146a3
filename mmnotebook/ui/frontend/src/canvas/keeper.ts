// Where the keyboard's focus is on the canvas. A node out of sight is not drawn: the canvas keeps the
// focus for it, and gives it on once it is drawn.

import type { RefObject } from "react";
import { createContext, useContext, useLayoutEffect, useMemo } from "react";

interface Keeper {
  /** The node that has the focus, or that the canvas keeps it for. */
  focused(): string | null;
  /** The focus onto a node; onto the canvas itself when none is named. */
  focus(name: string | null): void;
  isKeeping(): boolean;
  /** The focus has gone elsewhere. */
  forget(): void;
  drawn(name: string, card: HTMLElement): void;
  undrawn(name: string, card: HTMLElement): void;
}

export const KeeperContext = createContext<Keeper | null>(null);

const nodeOf = (element: Element | null): HTMLElement | null =>
  element?.closest<HTMLElement>(".react-flow__node") ?? null;

export function useKeeper(area: RefObject<HTMLElement | null>): Keeper {
  return useMemo(() => {
    let kept: string | null = null;

    function active(): Element | null {
      const root = area.current?.getRootNode() as Document | ShadowRoot | undefined;
      const element = root?.activeElement ?? null;
      return area.current?.contains(element) ? element : null;
    }

    function keep(name: string | null): void {
      kept = name;
      area.current?.focus({ preventScroll: true });
    }

    return {
      focused: () => nodeOf(active())?.dataset.id ?? kept,
      focus(name) {
        const selector = `.react-flow__node[data-id="${CSS.escape(name ?? "")}"]`;
        const found = area.current?.querySelector<HTMLElement>(selector);
        if (found) found.focus({ preventScroll: true });
        else keep(name);
      },
      isKeeping: () => kept !== null,
      forget() {
        kept = null;
      },
      drawn(name, card) {
        if (name === kept && active() === area.current)
          nodeOf(card)?.focus({ preventScroll: true });
      },
      undrawn(name, card) {
        if (nodeOf(card)?.contains(active())) keep(name);
      },
    };
  }, [area]);
}

/** For what is drawn in a node: the node may be given the focus, and leaves it to the canvas. */
export function useKept(name: string, card: RefObject<HTMLElement | null>): void {
  const keeper = useContext(KeeperContext);
  useLayoutEffect(() => {
    const element = card.current;
    if (element === null) return;
    keeper?.drawn(name, element);
    // Still in the page then: React takes it out after this.
    return () => keeper?.undrawn(name, element);
  }, [keeper, name, card]);
}
