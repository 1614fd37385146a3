// The widgets around the canvas, which are not drawn here: what their keys do.
import { useEffect } from "react";

import { perform } from "./actions";
import type { Builder } from "./bridge";
import { actionOf, FIELD, passes } from "./keyboard";

/** The notebook's own shortcuts do not act on keys in the panel and the tables: they cut cells. */
export function useStudio({ root, now }: Builder): void {
  useEffect(() => {
    const element = root.current;
    if (element === null) return;
    let studio: HTMLElement | null = null;
    const heard = (event: KeyboardEvent) => {
      if (!element.contains(event.target as Node)) onKeyDown(now(), event);
    };
    // Only when it is displayed does it stand in what is around it.
    const observer = new ResizeObserver(() => {
      studio ??= element.closest<HTMLElement>(".mm-studio");
      studio?.addEventListener("keydown", heard);
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      studio?.removeEventListener("keydown", heard);
    };
  }, [root, now]);
}

function onKeyDown(builder: Builder, event: KeyboardEvent): void {
  const target = event.target as Element;
  const at = target.closest(FIELD) === null ? "control" : "field";
  const id = actionOf(event, { at, connecting: false });
  const leaves = event.key === "Escape" && target.closest(".mm-panel") !== null;
  if (leaves) builder.canvas.current?.focus();
  else if (id === "undo" || id === "redo") perform(builder, id);
  else if (passes(event, at)) return;
  else return event.stopPropagation();
  event.preventDefault();
  event.stopPropagation();
}
