// The icons of the toolbar: 16 × 16, lines of 1.5 in the color of the text.

import { memo } from "react";

const PATHS = {
  run: "M5 3.2v9.6l7.8-4.8z",
  runTo: "M3.5 3.2v9.6L10 8zM12.5 3v10",
  stop: "M4 4h8v8H4z",
  fresh: "M13 8a5 5 0 1 1-1.6-3.7M13 2.6v2.6h-2.6",
  undo: "M5.6 3 2.8 5.8l2.8 2.8M2.8 5.8h6.4a3.7 3.7 0 0 1 0 7.4H6",
  redo: "m10.4 3 2.8 2.8-2.8 2.8M13.2 5.8H6.8a3.7 3.7 0 0 0 0 7.4H10",
  arrange:
    "M2.5 6h3.6v4H2.5zM9.9 2.5h3.6v4H9.9zM9.9 9.5h3.6v4H9.9zM6.1 8h1.6V4.5h2.2M7.7 8v3.5h2.2",
  fit: "M2.5 5.8V2.5h3.3M10.2 2.5h3.3v3.3M13.5 10.2v3.3h-3.3M5.8 13.5H2.5v-3.3M6 6h4v4H6z",
  zoomOut: "M11.4 7a4.4 4.4 0 1 1-8.8 0 4.4 4.4 0 0 1 8.8 0zM10.2 10.2l3.3 3.3M5 7h4",
  zoomIn: "M11.4 7a4.4 4.4 0 1 1-8.8 0 4.4 4.4 0 0 1 8.8 0zM10.2 10.2l3.3 3.3M5 7h4M7 5v4",
  minimap: "M2.5 3h11v10h-11zM8 8h4v3.5H8zM4.5 5.2h2",
  copy: "M6 5.5h7.5v8H6zM10 5.5v-3H2.5v8H6",
  paste: "M5.5 3.5h-2v10h9v-10h-2M5.5 2.3h5v2.4h-5zM5.8 8h4.4M5.8 10.5h4.4",
  duplicate: "M6 5.5h7.5v8H6zM10 5.5v-3H2.5v8H6M9.75 7.7v3.6M7.95 9.5h3.6",
  remove: "M2.8 4.5h10.4M6.2 4.5V2.7h3.6v1.8M4.2 4.5l.6 8.8h6.4l.6-8.8M6.8 7v4M9.2 7v4",
  model: "M8 2.2 13 5v6l-5 2.8L3 11V5zM3 5l5 2.8L13 5M8 7.8v6",
  cell: "M2.5 3h11v4.2h-11zM8 9.4v4.2M5.9 11.5h4.2",
  help: "M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0zM6.2 6.4a1.8 1.8 0 1 1 2.6 1.6c-.6.3-.8.6-.8 1.2M8 11.2v.1",
  refresh: "M13 8a5 5 0 0 1-9.3 2.5M3 8a5 5 0 0 1 9.3-2.5M12.6 2.8v2.9H9.7M3.4 13.2v-2.9h2.9",
  palette: "M2.5 3h11v10h-11zM6.5 3v10",
  plus: "M8 3v10M3 8h10",
  search: "M11.4 7a4.4 4.4 0 1 1-8.8 0 4.4 4.4 0 0 1 8.8 0zM10.2 10.2l3.3 3.3",
  chevron: "m6 4 4 4-4 4",
  problem: "M8 2.3 14.3 13H1.7zM8 6.4v3.2M8 11.3v.1",
  good: "M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0zM5.4 8.2l1.8 1.8 3.4-3.8",
  template: "M2.5 2.5h4.2v4.2H2.5zM9.3 9.3h4.2v4.2H9.3zM6.7 4.6h4.7v4.7",
  close: "m4 4 8 8M12 4l-8 8",
} as const;

export type IconName = keyof typeof PATHS;

export const Icon = memo(function Icon({ name }: { name: IconName }) {
  return (
    <svg className="mm-icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
});
