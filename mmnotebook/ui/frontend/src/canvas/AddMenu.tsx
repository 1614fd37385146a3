// The menu "What comes next?" of a wire that is dropped on the empty canvas.

import type { KeyboardEvent } from "react";
import { useMemo, useState } from "react";

import { useBuilder, useNow } from "../bridge";
import { filtered } from "../panes/items";
import type { End, Kind, PaletteItem, PaletteSection } from "../scene";
import { SIZE } from "../scene";
import type { Point } from "./flow";
import { onGrid } from "./flow";
import { KindIcon, kindClass } from "./kinds";

export interface Next {
  after: End;
  /** The place where the wire was dropped, in canvas units. */
  at: Point;
  /** The position of the menu in px, from the corner of the canvas. */
  left: number;
  top: number;
}

/** Return the items that can follow a step: no data, no templates. */
export function following(
  sections: readonly PaletteSection[],
  kinds: readonly Kind[],
): PaletteSection[] {
  const starts = new Set(kinds.filter((kind) => kind.inputs === "none").map((kind) => kind.name));
  return sections
    .map((section) => ({
      ...section,
      items: section.items.filter((item) => item.kind !== undefined && !starts.has(item.kind)),
    }))
    .filter((section) => section.items.length > 0);
}

export function AddMenu({ next, close }: { next: Next; close: () => void }) {
  const palette = useBuilder((builder) => builder.palette);
  const kinds = useBuilder((builder) => builder.kinds);
  const now = useNow();
  const [query, setQuery] = useState("");
  const [active, setActive] = useState(0);
  const sections = useMemo(
    () => filtered(following(palette, kinds), query),
    [palette, kinds, query],
  );
  const items = sections.flatMap((section) => section.items);

  function add(item: PaletteItem): void {
    const [x, y] = onGrid({ x: next.at.x, y: next.at.y - SIZE.height / 2 });
    const { kind = "", params = {} } = item;
    const { send, announce } = now();
    send({ op: "add", kind, params, at: [x, y], after: next.after });
    announce(`${item.title} added after ${next.after[0]}`);
    leave();
  }

  function leave(): void {
    close();
    now().canvas.current?.focus(next.after[0]);
  }

  function onKeyDown(event: KeyboardEvent): void {
    event.stopPropagation();
    if (event.key === "Escape") leave();
    else if (event.key === "ArrowDown") setActive(Math.min(active + 1, items.length - 1));
    else if (event.key === "ArrowUp") setActive(Math.max(active - 1, 0));
    else if (event.key === "Enter" && items[active] !== undefined) add(items[active]);
    else return;
    event.preventDefault();
  }

  let place = -1;
  return (
    <div
      className="mm-next nowheel nodrag nopan"
      style={{ left: next.left, top: next.top }}
      role="dialog"
      aria-label={`What comes after ${next.after[0]}?`}
      onKeyDown={onKeyDown}
      onBlur={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget)) close();
      }}
    >
      <input
        // biome-ignore lint/a11y/noAutofocus: the user opens the menu with a gesture, and types next.
        autoFocus
        placeholder="What comes next?"
        aria-label="Search what comes next"
        role="combobox"
        aria-expanded="true"
        aria-controls="mm-next-list"
        aria-activedescendant={items.length > 0 ? `mm-next-${active}` : undefined}
        value={query}
        onChange={(event) => {
          setQuery(event.target.value);
          setActive(0);
        }}
      />
      <div className="mm-next-list" id="mm-next-list" role="listbox" aria-label="Steps">
        {sections.map((section) => (
          <div key={section.title} role="group" aria-label={section.title}>
            <div className="mm-next-head" aria-hidden="true">
              {section.title}
            </div>
            {section.items.map((item) => {
              place += 1;
              const mine = place;
              return (
                // biome-ignore lint/a11y/useFocusableInteractive: the focus stays in the field (aria-activedescendant).
                // biome-ignore lint/a11y/useKeyWithClickEvents: the field handles the keys.
                <div
                  key={`${item.kind} ${item.title}`}
                  id={`mm-next-${mine}`}
                  className={`mm-next-item ${kindClass(item.kind ?? "")}`}
                  role="option"
                  aria-selected={mine === active}
                  title={item.detail}
                  ref={
                    mine === active
                      ? (element) => element?.scrollIntoView({ block: "nearest" })
                      : null
                  }
                  onPointerEnter={() => setActive(mine)}
                  onPointerDown={(event) => event.preventDefault()}
                  onClick={() => add(item)}
                >
                  <KindIcon kind={item.kind ?? ""} />
                  <span className="mm-next-title">{item.title}</span>
                  <span className="mm-next-detail">{item.detail}</span>
                </div>
              );
            })}
          </div>
        ))}
        {items.length === 0 && <p className="mm-next-none">No matches.</p>}
      </div>
    </div>
  );
}
