// Messages that are shown for some seconds, at most until the next run: from Python, and why an
// action is not possible. Errors are shown below the canvas, so that they do not cover a step.
import { useCallback, useEffect, useState } from "react";
import type { Notice } from "../bridge";
import { useBuilder } from "../bridge";

const SHOWN_MS = { info: 4500, error: 12000 };
const MOST = 2;

export function Toasts({ level }: { level: Notice["level"] }) {
  const notice = useBuilder((builder) => builder.notice);
  const outdated = useBuilder((builder) => builder.outdated);
  const [shown, setShown] = useState<Notice[]>([]);
  const end = useCallback(
    (toast: Notice) => setShown((before) => before.filter((other) => other !== toast)),
    [],
  );

  useEffect(() => {
    if (notice === null || notice.level !== level) return;
    const { text } = notice;
    setShown((before) => [...before.filter((toast) => toast.text !== text), notice].slice(-MOST));
  }, [notice, level]);

  const current = shown.filter(({ number }) => number > outdated);
  if (current.length === 0) return null;
  return (
    <div className={`mm-toasts mm-toasts-${level}`}>
      {current.map((toast) => (
        <Toast key={toast.number} toast={toast} end={end} />
      ))}
    </div>
  );
}

function Toast({ toast, end }: { toast: Notice; end: (toast: Notice) => void }) {
  const [isHeld, setHeld] = useState(false);
  useEffect(() => {
    if (isHeld) return;
    const timer = setTimeout(() => end(toast), SHOWN_MS[toast.level]);
    return () => clearTimeout(timer);
  }, [isHeld, toast, end]);
  return (
    <div
      className={`mm-toast mm-toast-${toast.level}`}
      onPointerEnter={() => setHeld(true)}
      onPointerLeave={() => setHeld(false)}
    >
      <span>{toast.text}</span>
      <button type="button" aria-label="Close this message" onClick={() => end(toast)}>
        ×
      </button>
    </div>
  );
}
