// A wire between two steps, with its number of elements and its selected fields.

import type { EdgeProps } from "@xyflow/react";
import { BaseEdge } from "@xyflow/react";
import { memo } from "react";

import { portOf, type WireType } from "./flow";
import { drawn } from "./wirePath";
import { grouped } from "./words";

const LONGEST = 14;

export const Wire = memo(function Wire(props: EdgeProps<WireType>) {
  const { sourceY, targetX, targetY, sourceHandleId, selected } = props;
  const { count = null, select = null, flowing = false, offered = false } = props.data ?? {};
  const port = portOf(sourceHandleId);
  const { path, middle } = drawn(props, port);
  const above = { ...middle, textAnchor: "middle" as const };
  // Above or below the end of the wire, on the side opposite to its start.
  const end = {
    x: targetX - 10,
    y: targetY + (sourceY > targetY ? -7 : 14),
    textAnchor: "end" as const,
  };
  const classes = [
    "mm-wire",
    flowing && "mm-flowing",
    offered && "mm-offered",
    selected && "mm-selected",
  ];
  return (
    <g className={classes.filter(Boolean).join(" ")}>
      <BaseEdge path={path} interactionWidth={16} />
      {count !== null && (
        // The wire of a branch curves in its middle, so its count is at its end.
        <text className="mm-wire-count" {...(port === null || select !== null ? above : end)}>
          {grouped(count)}
        </text>
      )}
      {select !== null && (
        <text className="mm-wire-select" {...end}>
          <title>{select}</title>
          {select.length > LONGEST ? `${select.slice(0, LONGEST - 1)}…` : select}
        </text>
      )}
    </g>
  );
});
