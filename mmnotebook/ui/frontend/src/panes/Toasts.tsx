// Lines that are shown for a while, at most until the next run: what Python says, and why
// something could not be done. An error covers nothing: it may be of any step on the canvas.
import { useCallback, useEffect, useState } from "react";
import type { Told } from "../bridge";
import { useBuilder } from "../bridge";

const SHOWN_MS = { info: 4500, error: 12000 };
const MOST = 2;

export function Toasts({ level }: { level: Told["level"] }) {
  const said = useBuilder((builder) => builder.said);
  const outdated = useBuilder((builder) => builder.outdated);
  const [shown, setShown] = useState<Told[]>([]);
  const end = useCallback(
    (toast: Told) => setShown((before) => before.filter((other) => other !== toast)),
    [],
  );

  useEffect(() => {
    if (said === null || said.level !== level) return;
    const { text } = said;
    setShown((before) => [...before.filter((toast) => toast.text !== text), said].slice(-MOST));
  }, [said, level]);

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

function Toast({ toast, end }: { toast: Told; end: (toast: Told) => void }) {
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
