// The widgets around the canvas, which are not drawn here: what their keys do.
import { useEffect } from "react";

import { perform } from "./actions";
import type { Builder } from "./bridge";
import { actionOf, FIELD, passes } from "./keyboard";

/** The notebook's own shortcuts do not act on keys in the panel and the tables: they cut cells. */
export function useStudio({ root, now, onMessage }: Builder): void {
  useEffect(
    () =>
      onMessage((message) => {
        if (message.type === "form" && root.current !== null) reachForm(root.current);
      }),
    [root, onMessage],
  );

  useEffect(() => {
    const element = root.current;
    if (element === null) return;
    let studio: HTMLElement | null = null;
    const outside = (does: typeof onKeyDown) => (event: KeyboardEvent) => {
      if (!element.contains(event.target as Node)) does(now(), event);
    };
    const heard = outside(onKeyDown);
    const captured = outside(onCapture);
    const left = (event: FocusEvent) => onLeave(now(), event);
    // Only when it is displayed does it stand in what is around it.
    const observer = new ResizeObserver(() => {
      studio ??= element.closest<HTMLElement>(".mm-studio");
      studio?.addEventListener("keydown", heard);
      studio?.addEventListener("focusout", left);
      studio?.addEventListener("keydown", captured, true);
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      studio?.removeEventListener("keydown", heard);
      studio?.removeEventListener("focusout", left);
      studio?.removeEventListener("keydown", captured, true);
    };
  }, [root, now]);
}

/** The keyboard into the form for a model, as soon as that is drawn. */
function reachForm(element: HTMLElement): void {
  const studio = element.closest(".mm-studio");
  function reach(): boolean {
    const field = studio?.querySelector<HTMLElement>(".mm-form input") ?? null;
    if (field === null || field.offsetParent === null) return false;
    field.focus();
    return true;
  }
  if (studio === null || reach()) return;
  const observer = new MutationObserver(() => {
    if (reach()) observer.disconnect();
  });
  observer.observe(studio, { childList: true, subtree: true, attributes: true });
}

/** From the panel back to the canvas; its fields let no key out. */
function onCapture(builder: Builder, event: KeyboardEvent): void {
  if (event.key !== "Escape" || !(event.target as Element).closest(".mm-panel")) return;
  event.preventDefault();
  event.stopPropagation();
  builder.canvas.current?.focus();
}

/** The focus goes on to the canvas from a control that goes away: a form's, a deleted step's. */
function onLeave(builder: Builder, { target, relatedTarget }: FocusEvent): void {
  if (!(target instanceof HTMLElement) || relatedTarget !== null) return;
  requestAnimationFrame(() => {
    const isGone = !target.isConnected || target.offsetParent === null;
    if (isGone && document.activeElement === document.body) builder.canvas.current?.focus();
  });
}

function onKeyDown(builder: Builder, event: KeyboardEvent): void {
  const at = (event.target as Element).closest(FIELD) === null ? "control" : "field";
  const id = actionOf(event, { at, connecting: false });
  if (id === "undo" || id === "redo") {
    event.preventDefault();
    perform(builder, id);
  } else if (passes(event, at)) return;
  event.stopPropagation();
}
