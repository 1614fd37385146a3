// Inserts a text as a new cell below that of the widget; if this is not possible, copies or shows it.

export type Inserted = "inserted" | "copied" | "shown";

const BUTTON = '[data-command="notebook:insert-cell-below"]';
const WAIT_MS = 3000;

/** Insert a cell with `text` below the widget; else copy the text to the clipboard, else show a dialog. */
export async function insertCell(root: HTMLElement, text: string): Promise<Inserted> {
  const cell = await newCellBelow(root);
  if (cell !== null && (await fill(cell, text))) {
    cell.scrollIntoView({ block: "nearest" });
    return "inserted";
  }
  if (await copied(text)) return "copied";
  show(root, text);
  return "shown";
}

/** Copy a text to the clipboard; false if that is not allowed. */
export async function copied(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false; // no permission, or no clipboard, as in a page without HTTPS
  }
}

async function newCellBelow(root: HTMLElement): Promise<HTMLElement | null> {
  const cell = root.closest<HTMLElement>(".jp-Cell");
  const notebook = cell?.closest<HTMLElement>(".jp-Notebook");
  if (!cell || !notebook) return null;
  const focused = document.activeElement;
  const cells = new Set(notebook.querySelectorAll(".jp-Cell"));
  if (!(await activated(cell))) return null;
  // The notebook's toolbar or, if the window is too narrow for its button, that of the cell.
  const panel = notebook.closest(".jp-NotebookPanel");
  const button = panel?.querySelector(`.jp-NotebookPanel-toolbar ${BUTTON}`);
  const pressed = button ?? cell.querySelector(`.jp-cell-toolbar ${BUTTON}`);
  if (pressed) press(pressed);
  else keyB(cell);
  const made = await until(() => {
    const active = notebook.querySelector<HTMLElement>(".jp-CodeCell.jp-mod-active");
    return active !== null && !cells.has(active) ? active : null;
  });
  if (focused instanceof HTMLElement && root.contains(focused)) {
    focused.focus({ preventScroll: true });
  }
  return made;
}

/** Activate a cell by focusing it, since commands act on the active cell. */
async function activated(cell: HTMLElement): Promise<boolean> {
  const isActive = () => (cell.classList.contains("jp-mod-active") ? true : null);
  if (!isActive()) cell.focus({ preventScroll: true });
  return (await until(isActive)) !== null;
}

/** Click a button with all mouse events, as some toolbars act on mousedown, others on click. */
function press(button: Element): void {
  const about = { bubbles: true, cancelable: true, composed: true, button: 0, view: window };
  for (const name of ["mousedown", "mouseup", "click"]) {
    button.dispatchEvent(new MouseEvent(name, about));
  }
}

function keyB(cell: HTMLElement): void {
  cell.focus({ preventScroll: true });
  const about = { key: "b", code: "KeyB", keyCode: 66, bubbles: true, cancelable: true };
  cell.dispatchEvent(new KeyboardEvent("keydown", about));
}

/** Paste a text into the empty editor of a cell. */
async function fill(cell: HTMLElement, text: string): Promise<boolean> {
  const content = await until(() => cell.querySelector<HTMLElement>(".cm-content"));
  if (content === null || content.textContent !== "") return false;
  const clipboardData = new DataTransfer();
  clipboardData.setData("text/plain", text);
  const about = { clipboardData, bubbles: true, cancelable: true };
  content.dispatchEvent(new ClipboardEvent("paste", about));
  const first = text.split("\n", 1)[0] ?? "";
  return (await until(() => (content.textContent?.includes(first) ? content : null))) !== null;
}

/** Return the first result of `find` that is not null; null after a timeout. */
async function until<T>(find: () => T | null): Promise<T | null> {
  const end = performance.now() + WAIT_MS;
  for (;;) {
    const found = find();
    if (found !== null || performance.now() > end) return found;
    await new Promise((resume) => setTimeout(resume, 20));
  }
}

function show(root: HTMLElement, text: string): void {
  const dialog = document.createElement("dialog");
  dialog.className = "mm-dialog";
  dialog.setAttribute("aria-label", "The pipeline as a cell");
  const hint = document.createElement("p");
  hint.textContent = "Copy this into a cell of the notebook:";
  const area = document.createElement("textarea");
  area.readOnly = true;
  area.value = text;
  area.rows = Math.min(16, text.split("\n").length + 1);
  area.setAttribute("aria-label", "The cell's text");
  const close = document.createElement("button");
  close.className = "mm-button";
  close.textContent = "Close";
  close.addEventListener("click", () => dialog.close());
  dialog.append(hint, area, close);
  dialog.addEventListener("keydown", (event) => event.stopPropagation());
  dialog.addEventListener("close", () => dialog.remove());
  root.append(dialog);
  dialog.showModal();
  area.select();
}
