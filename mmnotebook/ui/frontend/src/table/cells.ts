// The cells of a table: texts are never HTML, images only PNG data.
export interface Cell {
  text: string;
  kind?: "text" | "number" | "missing" | "image" | "vector";
  more?: string;
  title?: string;
  image?: string;
  size?: [width: number, height: number];
  bars?: number[];
  zero?: number;
}

const SVG = "http://www.w3.org/2000/svg";
const PNG = /^data:image\/png;base64,[A-Za-z0-9+/=]+$/;

/** The heights of bars (0 to 100, on a line at `zero`) as an SVG path in a box of 100 by 100. */
export function barsPath(bars: readonly number[], zero: number): string {
  const width = 100 / bars.length;
  return bars
    .map((height, place) => {
      const left = (place * width).toFixed(2);
      const right = ((place + 0.8) * width).toFixed(2);
      return `M${left} ${100 - zero}V${100 - height}H${right}V${100 - zero}Z`;
    })
    .join("");
}

export function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  className = "",
  text = "",
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

function picture(source: string, { text, size }: Cell): HTMLImageElement {
  const image = element("img", "mm-table-image");
  image.src = source;
  image.alt = text;
  [image.width, image.height] = size ?? [0, 0];
  return image;
}

function drawnBars(bars: readonly number[], zero: number): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 100 100");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("class", "mm-table-bars");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", barsPath(bars, zero));
  svg.append(path);
  return svg;
}

/** Return the text, or a short text that expands to the whole text. */
function words(cell: Cell): HTMLElement {
  if (!cell.more) return element("span", "mm-table-text", cell.text);
  const folded = element("details");
  folded.append(element("summary", "mm-table-text", cell.text), element("pre", "", cell.more));
  return folded;
}

export function drawnCell(cell: Cell, numeric: boolean): HTMLTableCellElement {
  const place = element("td", `mm-cell-${cell.kind ?? "text"}${cell.more ? " mm-cell-long" : ""}`);
  if (numeric) place.classList.add("mm-table-right");
  if (cell.title) place.title = cell.title;
  const { image, bars } = cell;
  const isPicture = image !== undefined && PNG.test(image);
  if (isPicture) place.append(picture(image, cell));
  if (bars) place.append(drawnBars(bars, cell.zero ?? 0));
  if (!isPicture || cell.kind !== "image") place.append(words(cell));
  return place;
}
