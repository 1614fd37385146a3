// Keys and focus in the ipywidgets around the canvas: the panel, the form and the tables.
import { useEffect } from "react";

import { perform } from "./actions";
import type { Builder } from "./bridge";
import { actionOf, FIELD, passes } from "./keyboard";

/** Keep keys in the panel and the tables from the notebook, whose shortcuts would change cells. */
export function useStudio({ root, now, onMessage }: Builder): void {
  useEffect(
    () =>
      onMessage((message) => {
        if (message.type === "form" && root.current !== null) focusForm(root.current);
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
    // The element is inside the studio only after it is displayed.
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

/** Focus the form of a model as soon as it is displayed. */
function focusForm(element: HTMLElement): void {
  const studio = element.closest(".mm-studio");
  function focusField(): boolean {
    const field = studio?.querySelector<HTMLElement>(".mm-form input") ?? null;
    if (field === null || field.offsetParent === null) return false;
    field.focus();
    return true;
  }
  if (studio === null || focusField()) return;
  const observer = new MutationObserver(() => {
    if (focusField()) observer.disconnect();
  });
  observer.observe(studio, { childList: true, subtree: true, attributes: true });
}

/** On Escape in the panel, focus the canvas; captured, since the panel's fields stop all keys. */
function onCapture(builder: Builder, event: KeyboardEvent): void {
  if (event.key !== "Escape" || !(event.target as Element).closest(".mm-panel")) return;
  event.preventDefault();
  event.stopPropagation();
  builder.canvas.current?.focus();
}

/** Focus the canvas when the focused control disappears, such as that of a deleted step. */
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
