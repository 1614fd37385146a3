// The keyboard focus on the canvas. A node outside of the view is not rendered; the canvas then has the
// focus for it, and passes it on when the node is rendered.

import type { RefObject } from "react";
import { createContext, useContext, useLayoutEffect, useMemo } from "react";

interface Keeper {
  /** The node that has the focus, or for which the canvas has it. */
  focused(): string | null;
  /** Focus a node; null focuses the canvas itself. */
  focus(name: string | null): void;
  isKeeping(): boolean;
  /** Called when another element gets the focus. */
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

/** Register a rendered node, which takes the focus from the canvas and returns it when it is removed. */
export function useKept(name: string, card: RefObject<HTMLElement | null>): void {
  const keeper = useContext(KeeperContext);
  useLayoutEffect(() => {
    const element = card.current;
    if (element === null) return;
    keeper?.drawn(name, element);
    // The element is still in the document: React removes it after this.
    return () => keeper?.undrawn(name, element);
  }, [keeper, name, card]);
}
