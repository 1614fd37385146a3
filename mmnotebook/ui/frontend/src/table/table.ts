// A page of cells: headers sort it, the arrow keys move between rows, a click opens a row.
import type { AnyModel, RenderProps } from "@anywidget/types";
import type { Cell } from "./cells";
import { drawnCell, element } from "./cells";
import "./table.css";

export interface Column {
  name: string;
  numeric: boolean;
}

export type Sort = { column: number; ascending: boolean } | Record<string, never>;
type Pager = { text: string; back: boolean; forward: boolean } | Record<string, never>;

interface Traits {
  label: string;
  columns: Column[];
  rows: Cell[][];
  sort: Sort;
  sortable: boolean;
  selected: number[];
  pager: Pager;
  opens: string;
  empty: string;
}

const PAGER = [
  ["first", "First page", "«"],
  ["previous", "Previous page", "‹"],
  ["next", "Next page", "›"],
  ["last", "Last page", "»"],
] as const;

/** Return the order after a click on a header: ascending, then descending, then unsorted. */
export function nextSort(sort: Sort, column: number): Sort {
  if (sort.column !== column) return { column, ascending: true };
  return sort.ascending ? { column, ascending: false } : {};
}

/** Keep plain keys from JupyterLab, whose shortcuts cut and insert cells. */
function keepPlainKeys(event: KeyboardEvent): void {
  const isCommand = event.ctrlKey || event.metaKey || event.altKey;
  if (!isCommand && !(event.shiftKey && event.key === "Enter")) event.stopPropagation();
}

class View {
  private readonly root = element("div", "mm-inspector-table");
  private readonly table = element("table");
  private readonly head = element("thead");
  private readonly body = element("tbody");
  private readonly empty = element("p", "mm-table-empty");
  private readonly pager = element("div", "mm-table-pager");
  private readonly where = element("span", "mm-table-where");
  private readonly buttons = new Map<string, HTMLButtonElement>();
  /** The row that Tab focuses. */
  private current = 0;

  constructor(
    private readonly model: AnyModel<Traits>,
    el: HTMLElement,
  ) {
    const scroll = element("div", "mm-table-scroll");
    this.table.append(this.head, this.body);
    scroll.append(this.table, this.empty);
    this.makePager();
    this.root.append(scroll, this.pager);
    this.root.addEventListener("keydown", keepPlainKeys);
    this.body.addEventListener("keydown", (event) => this.onKey(event));
    this.body.addEventListener("click", (event) => this.onClick(event));
    el.append(this.root);
    this.drawHead();
    this.drawBody();
    this.drawPager();
  }

  private makePager(): void {
    this.where.setAttribute("role", "status");
    this.pager.setAttribute("role", "group");
    this.pager.setAttribute("aria-label", "Pages");
    for (const [to, label, sign] of PAGER) {
      const button = element("button", "", sign);
      button.type = "button";
      button.title = label;
      button.setAttribute("aria-label", label);
      button.addEventListener("click", () => {
        if (button.getAttribute("aria-disabled") !== "true") this.model.send({ type: "page", to });
      });
      this.buttons.set(to, button);
    }
    this.pager.append(...this.buttons.values());
    this.buttons.get("next")?.before(this.where);
  }

  drawHead(): void {
    const row = element("tr");
    this.model.get("columns").forEach((column, place) => {
      const cell = element("th", column.numeric ? "mm-table-right" : "");
      cell.scope = "col";
      cell.append(this.model.get("sortable") ? this.sorter(column, place) : column.name);
      row.append(cell);
    });
    this.head.replaceChildren(row);
    this.table.setAttribute("aria-label", this.model.get("label"));
    this.drawSort();
  }

  private sorter(column: Column, place: number): HTMLButtonElement {
    const button = element("button", "mm-table-sorter", column.name);
    button.type = "button";
    button.title = `Sort by ${column.name}`;
    const sign = element("span", "mm-table-sign");
    sign.setAttribute("aria-hidden", "true");
    button.append(sign);
    button.addEventListener("click", () => {
      this.model.set("sort", nextSort(this.model.get("sort"), place));
      this.model.save_changes();
    });
    return button;
  }

  drawSort(): void {
    const sort = this.model.get("sort");
    [...this.head.querySelectorAll("th")].forEach((cell, place) => {
      const by = sort.column === place;
      const way = sort.ascending ? "ascending" : "descending";
      cell.setAttribute("aria-sort", by ? way : "none");
      const sign = cell.querySelector(".mm-table-sign");
      if (sign) sign.textContent = by ? (sort.ascending ? "▲" : "▼") : "";
    });
  }

  drawBody(): void {
    const rows = this.model.get("rows");
    const columns = this.model.get("columns");
    const hadFocus = this.body.contains(this.body.ownerDocument.activeElement);
    this.current = Math.max(0, Math.min(this.current, rows.length - 1));
    this.body.replaceChildren(
      ...rows.map((cells) => {
        const row = element("tr");
        row.append(...cells.map((cell, place) => drawnCell(cell, !!columns[place]?.numeric)));
        if (this.model.get("opens")) row.title = this.model.get("opens");
        return row;
      }),
    );
    this.empty.textContent = this.model.get("empty");
    this.empty.hidden = rows.length > 0;
    this.table.hidden = !columns.length;
    this.rove();
    this.drawSelected();
    if (hadFocus) this.rows()[this.current]?.focus();
  }

  private rows(): HTMLTableRowElement[] {
    return [...this.body.rows];
  }

  /** Make the current row the only one that Tab focuses; the arrow keys move on from it. */
  private rove(): void {
    this.rows().forEach((row, place) => {
      row.tabIndex = place === this.current ? 0 : -1;
    });
  }

  drawSelected(): void {
    const selected = this.model.get("selected");
    this.rows().forEach((row, place) => {
      const marked = selected.includes(place);
      row.classList.toggle("mm-table-selected", marked);
      if (marked) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    });
  }

  drawPager(): void {
    const pager = this.model.get("pager");
    this.pager.hidden = !("text" in pager);
    this.where.textContent = pager.text ?? "";
    for (const [to, button] of this.buttons) {
      // Not `disabled`, as the button would lose the focus on the last page.
      const can = to === "first" || to === "previous" ? pager.back : pager.forward;
      button.setAttribute("aria-disabled", String(!can));
    }
  }

  private onKey(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const rows = this.rows();
    const at = rows.indexOf(event.target as HTMLTableRowElement);
    if (at < 0) return; // the focus is in an expanded text
    const last = rows.length - 1;
    const to = {
      ArrowDown: Math.min(at + 1, last),
      ArrowUp: Math.max(at - 1, 0),
      Home: 0,
      End: last,
    }[event.key];
    if (event.key === "Enter" || event.key === " ") this.open(at);
    else if (to !== undefined) this.focus(to);
    else return;
    event.preventDefault();
  }

  private focus(place: number): void {
    this.current = place;
    this.rove();
    this.rows()[place]?.focus();
  }

  private onClick(event: MouseEvent): void {
    const target = event.target as Element;
    const row = target.closest("tr");
    // A click that expands or selects a text does not open the row.
    if (!row || target.closest("details") || getSelection()?.toString()) return;
    const place = this.rows().indexOf(row);
    this.focus(place);
    this.open(place);
  }

  private open(row: number): void {
    if (this.model.get("opens")) this.model.send({ type: "open", row });
  }

  /** Scroll the table into view, after it is laid out. */
  reveal(): void {
    requestAnimationFrame(() => this.root.scrollIntoView({ block: "nearest" }));
  }

  remove(): void {
    this.root.remove();
  }
}

export default {
  render({ model, el }: RenderProps<Traits>) {
    const view = new View(model, el);
    const drawing: { [event: string]: () => void } = {
      "change:columns": () => view.drawHead(),
      "change:label": () => view.drawHead(),
      "change:rows": () => view.drawBody(),
      "change:empty": () => view.drawBody(),
      "change:opens": () => view.drawBody(),
      "change:sort": () => view.drawSort(),
      "change:selected": () => view.drawSelected(),
      "change:pager": () => view.drawPager(),
    };
    const onMessage = (message: { type: string }): void => {
      if (message.type === "reveal") view.reveal();
    };
    for (const [event, draw] of Object.entries(drawing)) model.on(event, draw);
    model.on("msg:custom", onMessage);
    return () => {
      for (const [event, draw] of Object.entries(drawing)) model.off(event, draw);
      model.off("msg:custom", onMessage);
      view.remove();
    };
  },
};
