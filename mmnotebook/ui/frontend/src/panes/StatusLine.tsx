// The state of the run, and whether the kernel answers.

import { memo } from "react";
import { type Builder, useBuilder } from "../bridge";
import { isInProgress } from "../sharing";

const STATES: Record<Builder["status"]["state"], string> = {
  idle: "not run yet",
  preparing: "preparing",
  running: "running",
  done: "done",
  failed: "failed",
  stopped: "stopped",
};
const AWAITED =
  "The kernel is busy with a cell: actions here are handled when the cell has finished. " +
  "If the kernel was restarted, execute this cell again; the text below can be copied.";

export const StatusLine = memo(function StatusLine() {
  const status = useBuilder((builder) => builder.status);
  const busy = useBuilder((builder) => builder.busy);
  const waiting = useBuilder((builder) => builder.waiting);
  const awaited = waiting === 1 ? "1 action" : `${waiting} actions`;
  const line =
    waiting > 0 ? `waiting for the kernel: ${awaited}` : status.line || STATES[status.state];
  // Changing counts are not read by screen readers, but the outcome is.
  const live = isInProgress(status) || waiting > 1 ? "off" : "polite";
  return (
    <div
      className={`mm-status mm-status-${status.state}`}
      aria-live={live}
      title={waiting > 0 ? AWAITED : line}
    >
      {busy || waiting > 0 ? (
        <span className="mm-spinner" role="img" aria-label={waiting > 0 ? "waiting" : "working"} />
      ) : (
        <span className="mm-status-dot" aria-hidden="true" />
      )}
      <span className="mm-status-line">{line}</span>
    </div>
  );
});
