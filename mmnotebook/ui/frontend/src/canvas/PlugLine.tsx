// Shown while a wire is dragged: the line to the pointer, and why it cannot end there.

import type { ConnectionLineComponentProps } from "@xyflow/react";
import { getBezierPath, useStore, ViewportPortal } from "@xyflow/react";
import { useContext } from "react";

import { useBuilder } from "../bridge";
import type { SceneNode } from "../scene";
import type { Point, StepNodeType } from "./flow";
import { heightOf, nodeAt } from "./flow";
import { PlugContext } from "./plugContext";

export function PlugLine(props: ConnectionLineComponentProps<StepNodeType>) {
  const { fromX, fromY, fromPosition, toPosition, connectionStatus } = props;
  const found = useFound();
  // Over a card that accepts the wire, the line ends at the card's port.
  const end = connectionStatus === "valid" || found === null ? null : inputOf(found);
  const [toX, toY] = end ?? [props.toX, props.toY];
  const [path] = getBezierPath({
    sourceX: fromX,
    sourceY: fromY,
    sourcePosition: fromPosition,
    targetX: toX,
    targetY: toY,
    targetPosition: toPosition,
  });
  return (
    <g className={found?.reason ? "mm-plug-line mm-plug-wrong" : "mm-plug-line"}>
      <path d={path} />
      <circle cx={toX} cy={toY} r={4} />
    </g>
  );
}

/** A tooltip at the pointer that explains why the wire cannot end there. */
export function Reason() {
  const found = useFound();
  const zoom = useStore((state) => state.transform[2]);
  if (!found?.reason) return null;
  const { x, y } = found.pointer;
  return (
    <ViewportPortal>
      <div
        className="mm-reason"
        style={{ transform: `translate(${x}px, ${y}px) scale(${1 / zoom}) translate(16px, 14px)` }}
      >
        {found.reason}
      </div>
    </ViewportPortal>
  );
}

interface Found {
  pointer: Point;
  over: SceneNode | null;
  reason: string | null;
  /** Whether the wire starts at an output. */
  forward: boolean;
}

/** Return the node under the pointer, and why it cannot be the other end. */
function useFound(): Found | null {
  const plug = useContext(PlugContext);
  const scene = useBuilder((builder) => builder.scene);
  const connection = useStore((state) => state.connection);
  const transform = useStore((state) => state.transform);
  if (plug === null || !connection.inProgress) return null;
  const [left, top, zoom] = transform;
  const { x, y } = connection.pointer;
  const pointer = { x: (x - left) / zoom, y: (y - top) / zoom };
  const under = nodeAt(scene, pointer);
  const over = under?.name === plug.from.node ? null : under;
  const reason = over === null ? null : (plug.refusals.get(over.name) ?? null);
  return { pointer, over, reason, forward: plug.from.type === "source" };
}

function inputOf({ over, reason, forward }: Found): [number, number] | null {
  if (over === null || reason !== null || !forward) return null;
  return [over.x, over.y + heightOf(over.outputs.length) / 2];
}
