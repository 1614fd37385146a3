// The icons of the step kinds, and the colors of their families.
import { memo } from "react";

const FAMILIES: { [kind: string]: string } = {
  source: "data",
  read: "data",
  model: "model",
  keyed: "model",
  cascade: "model",
  map: "function",
  flat_map: "function",
  filter: "function",
  split: "route",
  switch: "route",
  vote: "combine",
  mean: "combine",
  stack: "combine",
  write: "write",
};

/** Return the CSS class that sets the color `--mm-kind`. */
export const kindClass = (kind: string): string => `mm-kind-${FAMILIES[kind] ?? "other"}`;

/** Return the name of a kind for the user: "flat map". */
export const kindTitle = (kind: string): string => kind.replace("_", " ");

// 16 × 16, lines of 1.4.
const PATHS: { [kind: string]: string } = {
  source: "M2.5 3h11v10h-11zM2.5 6.3h11M2.5 9.6h11M6.4 6.3V13",
  read: "M4 1.8h5l3.2 3.2v9.2H4zM9 1.8V5h3.2M8.1 7.4v4M6.4 9.8l1.7 1.7 1.7-1.7",
  model:
    "M3.2 5.2a1.3 1.3 0 1 0 0-.01M3.2 12.1a1.3 1.3 0 1 0 0-.01M8 8.6a1.3 1.3 0 1 0 0-.01M12.8 5.2a1.3 1.3 0 1 0 0-.01M12.8 12.1a1.3 1.3 0 1 0 0-.01M4.2 4.7l3 2.9M4.2 10.3l3-1.5M8.8 7.6l3-2.9M8.8 8.8l3 1.5",
  map: "M6.6 3.1c-1.5-.5-2 .4-2.2 1.8L3.3 11.6c-.2 1.3-.6 1.6-1.5 1.4M2.6 6.9h3.6M8.4 7.6l4.6 5M13 7.6l-4.6 5",
  flat_map:
    "M2 8h3.4M5.4 8c2.4 0 2.2-4.6 4.8-4.6h2.6M5.4 8h7.4M5.4 8c2.4 0 2.2 4.6 4.8 4.6h2.6M11.6 2l1.6 1.4-1.6 1.4M11.6 6.6 13.2 8l-1.6 1.4M11.6 11.2l1.6 1.4-1.6 1.4",
  filter: "M2.2 3h11.6L9.4 8.4v4.8l-2.8-1.5V8.4z",
  split:
    "M2 8h4.2c1.8 0 2-4 4.2-4h2.8M6.2 8c1.8 0 2 4 4.2 4h2.8M11.8 2.4 13.4 4l-1.6 1.6M11.8 10.4l1.6 1.6-1.6 1.6",
  switch:
    "M2 8h3M5 8l6.4-4.2M12.8 3.4a1.1 1.1 0 1 0 0-.01M12.8 8a1.1 1.1 0 1 0 0-.01M12.8 12.6a1.1 1.1 0 1 0 0-.01M5 8.6a.6.6 0 1 0 0-.01",
  cascade: "M2 2.6h3.8v3.8H2zM7.4 7.4h6.6v6.2H7.4zM5.8 4.5h4.9v2.9M9.5 6.2l1.2 1.2 1.2-1.2",
  keyed: "M5 8a2.6 2.6 0 1 0 0-.01M7.6 8H14M11.4 8v2.6M13.4 8v1.8",
  vote: "M2.4 9.2h11.2v4.4H2.4zM5 9.2V2.4h6v6.8M6.4 5.4l1.2 1.3 2.2-2.4",
  mean: "M3 3h10M4.2 12.9l4-9.2h.1l3.6 9.2M3 13h10M5.6 9.4h5",
  stack: "M8 2 14 5 8 8 2 5zM2 8l6 3 6-3M2 11l6 3 6-3",
  write: "M4 1.8h5l3.2 3.2v9.2H4zM9 1.8V5h3.2M8.1 11.6v-4M6.4 9.2l1.7-1.7 1.7 1.7",
};

export const KindIcon = memo(function KindIcon({ kind }: { kind: string }) {
  return (
    <svg className="mm-kind-icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
      <path d={PATHS[kind] ?? "M3 3h10v10H3z"} />
    </svg>
  );
});
