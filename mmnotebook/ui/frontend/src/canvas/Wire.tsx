// A wire between two steps, with what flows in it.
import { BaseEdge, getBezierPath } from "@xyflow/react";
import type { EdgeProps } from "@xyflow/react";
import { memo } from "react";

import { grouped } from "./words";
import type { WireType } from "./flow";

const LONGEST = 14;

export const Wire = memo(function Wire(props: EdgeProps<WireType>) {
  const { sourceX, sourceY, targetX, targetY, sourcePosition, targetPosition, selected } = props;
  const { count = null, select = null, flowing = false, offered = false } = props.data ?? {};
  const [path, x, y] = getBezierPath({
    sourceX,
    sourceY,
    targetX,
    targetY,
    sourcePosition,
    targetPosition,
  });
  // On the side from which the wire does not come.
  const beside = sourceY > targetY ? -7 : 14;
  const classes = ["mm-wire", flowing && "mm-flowing", offered && "mm-offered", selected && "mm-selected"];
  return (
    <g className={classes.filter(Boolean).join(" ")}>
      <BaseEdge path={path} interactionWidth={16} />
      {count !== null && (
        <text className="mm-wire-count" x={x} y={y - 6}>
          {grouped(count)}
        </text>
      )}
      {select !== null && (
        <text className="mm-wire-select" x={targetX - 9} y={targetY + beside}>
          <title>{select}</title>
          {select.length > LONGEST ? `${select.slice(0, LONGEST - 1)}…` : select}
        </text>
      )}
    </g>
  );
});
