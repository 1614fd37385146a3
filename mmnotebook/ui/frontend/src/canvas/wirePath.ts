// The line of a wire: from an arm it goes straight under the arm's name, then it bends. Pure.
import { type EdgeProps, getBezierPath } from "@xyflow/react";

import type { Point } from "./flow";

type Ends = Pick<
  EdgeProps,
  "sourceX" | "sourceY" | "targetX" | "targetY" | "sourcePosition" | "targetPosition"
>;

// The name's, in px: what a letter takes, and the most that all take; the latter is in canvas.css
// too, and both are in mmnotebook/editing/node_positions.py, which leaves room for them.
const LETTER = 6;
const LONGEST = 62;
const MARGIN = 9;
/** What is left for the bend where there is little room. */
const BEND = 36;

/** How far a wire goes straight, so many px from its target. */
export function straight(port: string | null, room: number): number {
  if (port === null) return 0;
  const name = MARGIN + Math.min(LONGEST, LETTER * port.length);
  return Math.max(0, Math.min(name, room - BEND));
}

/** The path of an SVG, and where words stand over its middle. */
export function drawn(ends: Ends, port: string | null): { path: string; middle: Point } {
  const { sourceX, sourceY, targetX } = ends;
  const bend = sourceX + straight(port, targetX - sourceX);
  const [curve, x, y] = getBezierPath({ ...ends, sourceX: bend });
  const path = bend === sourceX ? curve : `M${sourceX},${sourceY} L${curve.slice(1)}`;
  return { path, middle: { x, y: y - 6 } };
}
