// A wire between two steps, with what flows in it.

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
  // On the side from which the wire does not come.
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
        // The middle of an arm's wire is where it bends.
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
