// The palette: models, data, functions, steps and templates that can be added.

import { type DragEvent, type KeyboardEvent, memo, useState } from "react";

import { action, perform } from "../actions";
import { type Builder, useBuilder, useNow } from "../bridge";
import { KindIcon, kindClass } from "../canvas/kinds";
import type { PaletteItem, PaletteSection } from "../scene";
import { Icon } from "./icons";
import { adding, DRAGGED, filtered } from "./items";

const ROWS = "[data-row]";

export const Palette = memo(function Palette() {
  const palette = useBuilder((builder) => builder.palette);
  const now = useNow();
  const [query, setQuery] = useState("");
  const [folded, setFolded] = useState<readonly string[]>([]);
  const [stop, setStop] = useState("");
  const found = filtered(palette, query);
  const toggle = (title: string) =>
    setFolded((old) => (old.includes(title) ? old.filter((t) => t !== title) : [...old, title]));
  const rows = found.flatMap((each) => [
    each.title,
    ...each.items.map((item) => keyOf(each, item)),
  ]);
  const { title: refresh } = action("refresh");
  return (
    <nav
      className="mm-palette"
      aria-label="Palette"
      onKeyDown={(event) => {
        walk(event);
        const isSearch = event.target instanceof HTMLInputElement;
        // The found item was added: clear the search for the next one.
        if (event.key === "Enter" && isSearch && found.some((each) => each.items.length > 0))
          setQuery("");
        if (event.key !== "Escape") return;
        if (!isSearch || query === "") now().canvas.current?.focus();
        setQuery("");
      }}
      onFocus={(event) => {
        const row = event.target.closest<HTMLElement>(ROWS)?.dataset.row;
        if (row !== undefined) setStop(row);
      }}
    >
      <div className="mm-palette-head">
        <div className="mm-search">
          <Icon name="search" />
          <input
            type="search"
            placeholder="Search"
            title="Search what can be added (A)"
            aria-label="Search what can be added"
            aria-keyshortcuts="A"
            value={query}
            onChange={(event) => setQuery(event.target.value)}
          />
        </div>
        <button
          type="button"
          className="mm-tool"
          title={refresh}
          aria-label={refresh}
          onClick={() => perform(now(), "refresh")}
        >
          <Icon name="refresh" />
        </button>
      </div>
      <div className="mm-palette-list">
        {found.map((section) => (
          <Section
            key={section.title}
            section={section}
            // Search results are shown even if the section is collapsed.
            isOpen={query.trim() !== "" || !folded.includes(section.title)}
            onToggle={() => toggle(section.title)}
            stop={rows.includes(stop) ? stop : (rows[0] ?? "")}
            isWhole={query.trim() === ""}
            now={now}
          />
        ))}
        {found.length === 0 && <p className="mm-palette-empty">No matches.</p>}
      </div>
    </nav>
  );
});

const keyOf = (section: PaletteSection, item: PaletteItem): string =>
  `${section.title}/${item.kind ?? item.template}/${item.title}`;

interface SectionProps {
  section: PaletteSection;
  isOpen: boolean;
  onToggle: () => void;
  stop: string;
  /** Whether all items are shown, not only search results. */
  isWhole: boolean;
  now: () => Builder;
}

function Section({ section, isOpen, onToggle, stop, isWhole, now }: SectionProps) {
  const { title, items, empty } = section;
  return (
    <section aria-label={title}>
      <button
        type="button"
        className="mm-section"
        data-row={title}
        tabIndex={stop === title ? 0 : -1}
        aria-expanded={isOpen}
        onClick={onToggle}
      >
        <Icon name="chevron" />
        <span>{title}</span>
        <span className="mm-count">{items.length || ""}</span>
      </button>
      {isOpen && (
        <>
          {items.map((item) => {
            const row = keyOf(section, item);
            return <Item key={row} row={row} item={item} isStop={stop === row} now={now} />;
          })}
          {items.length === 0 && empty !== "" && <p className="mm-palette-empty">{empty}</p>}
          {title === "Models" && isWhole && (
            <button
              type="button"
              className="mm-item mm-item-new"
              data-row="Models/new"
              tabIndex={-1}
              onClick={() => perform(now(), "register")}
            >
              <Icon name="plus" />
              <span className="mm-item-title">New model…</span>
            </button>
          )}
        </>
      )}
    </section>
  );
}

interface ItemProps {
  item: PaletteItem;
  row: string;
  isStop: boolean;
  now: () => Builder;
}

const Item = memo(function Item({ item, row, isStop, now }: ItemProps) {
  const add = () => {
    const { send, scene, selection, announce } = now();
    const command = adding(item, scene, selection);
    send(command);
    const from = command.op === "add" ? command.after : null;
    announce(
      `${item.title} added${from ? `, after ${from.filter((end) => end !== null).join(" ")}` : ""}`,
    );
  };
  const drag = (event: DragEvent) => {
    event.dataTransfer.setData(DRAGGED, JSON.stringify(item));
    event.dataTransfer.effectAllowed = "copy";
  };
  return (
    <button
      type="button"
      className={`mm-item ${item.kind === undefined ? "mm-kind-other" : kindClass(item.kind)}`}
      data-row={row}
      tabIndex={isStop ? 0 : -1}
      draggable
      title={item.detail === "" ? item.title : `${item.title}: ${item.detail}`}
      aria-label={`Add ${item.title}${item.detail === "" ? "" : `, ${item.detail}`}`}
      onDragStart={drag}
      onClick={add}
    >
      {item.kind === undefined ? <Icon name="template" /> : <KindIcon kind={item.kind} />}
      <span className="mm-item-text">
        <span className="mm-item-title">{item.title}</span>
        <span className="mm-item-detail">{item.detail}</span>
      </span>
    </button>
  );
});

/** Up and Down move through the shown rows, also from the search field. */
function walk(event: KeyboardEvent<HTMLElement>): void {
  if (!(event.target instanceof HTMLElement)) return;
  const rows = [...event.currentTarget.querySelectorAll<HTMLElement>(ROWS)];
  const at = rows.indexOf(event.target);
  const isSearch = event.target instanceof HTMLInputElement;
  if (at < 0 && !isSearch) return;
  if (event.key === "Enter" && event.target instanceof HTMLInputElement)
    best(rows, event.target.value)?.click();
  if (at >= 0) fold(event, event.target);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, ...(isSearch ? {} : ENDS) }[event.key];
  if (to === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  const search = event.currentTarget.querySelector<HTMLElement>("input");
  (to === -1 || (isSearch && to < 0) ? search : rows.at(Math.min(to, rows.length - 1)))?.focus();
}

/** Return the item with exactly this title, else the first. */
function best(rows: readonly HTMLElement[], query: string): HTMLElement | undefined {
  const items = rows.filter((row) => row.matches(".mm-item"));
  const title = (row: HTMLElement) => row.querySelector(".mm-item-title")?.textContent;
  const wanted = query.trim().toLowerCase();
  return items.find((row) => title(row)?.toLowerCase() === wanted) ?? items[0];
}

const ENDS = { Home: 0, End: Number.MAX_SAFE_INTEGER };

/** Left and Right collapse and expand a section. */
function fold(event: KeyboardEvent, row: HTMLElement): void {
  const open = row.getAttribute("aria-expanded");
  const wants = { ArrowLeft: "true", ArrowRight: "false" }[event.key];
  if (open === null || wants !== open) return;
  event.preventDefault();
  row.click();
}
