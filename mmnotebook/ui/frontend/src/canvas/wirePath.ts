// The path of a wire: from a branch, it is straight below the name of the branch, then it curves. Pure.
import { type EdgeProps, getBezierPath } from "@xyflow/react";

import type { Point } from "./flow";

type Ends = Pick<
  EdgeProps,
  "sourceX" | "sourceY" | "targetX" | "targetY" | "sourcePosition" | "targetPosition"
>;

// The width in px of a letter, and the maximum of a name. The latter is in canvas.css, too; both are in
// mmnotebook/editing/node_positions.py, which leaves room for them.
const LETTER = 6;
const LONGEST = 62;
const MARGIN = 9;
/** The width of the curve if there is little room. */
const BEND = 36;

/** Return the length of the straight part of a wire whose target is `room` px away. */
export function straight(port: string | null, room: number): number {
  if (port === null) return 0;
  const name = MARGIN + Math.min(LONGEST, LETTER * port.length);
  return Math.max(0, Math.min(name, room - BEND));
}

/** Return the SVG path, and the position of a text above its middle. */
export function drawn(ends: Ends, port: string | null): { path: string; middle: Point } {
  const { sourceX, sourceY, targetX } = ends;
  const bend = sourceX + straight(port, targetX - sourceX);
  const [curve, x, y] = getBezierPath({ ...ends, sourceX: bend });
  const path = bend === sourceX ? curve : `M${sourceX},${sourceY} L${curve.slice(1)}`;
  return { path, middle: { x, y: y - 6 } };
}
