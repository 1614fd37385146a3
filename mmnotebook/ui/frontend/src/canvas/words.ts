// Texts of a card: the state of its step in a run, and its label for screen readers. Pure.

import type { NodeStatus, SceneNode } from "../scene";
import { kindTitle } from "./kinds";

/** Return the label of a node for screen readers. */
export function spoken(step: SceneNode, status: NodeStatus | null): string {
  const counted = status === null ? "" : summary(status);
  const failed = status !== null && status.failed > 0 ? `${grouped(status.failed)} failed` : "";
  const many = step.problems.length;
  const wrong =
    many === 0 ? "" : `${many} problem${many > 1 ? "s" : ""}: ${step.problems.join("; ")}`;
  const kind = step.detail.startsWith(kindTitle(step.kind)) ? "" : kindTitle(step.kind);
  return [step.title, kind, step.detail, counted, failed, wrong].filter((s) => s !== "").join(", ");
}

export const grouped = (count: number): string => count.toLocaleString("en-US");

const STATES: { [state in NodeStatus["state"]]: string | null } = {
  waiting: "waiting",
  running: null,
  done: null,
  cached: "cached",
  failed: "failed",
  stopped: "not finished",
  stale: "edited since",
};

/** Return the outcome of a node, "1,200 · 0.4 s · cached", without failed elements. */
export function summary({ state, elementsOut, elementsIn, seconds, failed }: NodeStatus): string {
  const count = elementsOut ?? elementsIn;
  const parts = [
    count === null || state === "waiting" || (state === "stopped" && count === 0)
      ? null
      : grouped(count),
    seconds === null ? null : duration(seconds),
    state === "failed" && failed > 0 ? null : STATES[state],
  ];
  return parts.filter((part) => part !== null).join(" · ");
}

function duration(seconds: number): string {
  if (seconds < 0.0995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}
