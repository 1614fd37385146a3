// Typed text that was not sent to Python yet.

import type { Command } from "../scene";

const WAIT_MS = 300;

/** Calls `work` later; returns the function that cancels it. */
type Later = (work: () => void, ms: number) => () => void;

const later: Later = (work, ms) => {
  const timer = setTimeout(work, ms);
  return () => clearTimeout(timer);
};

/**
 * The text that a user is typing.
 *
 * While the field has the focus, the typed text is shown: the canonical text from Python neither
 * replaces it nor moves the caret. The text is sent after a pause in typing. All that is typed until
 * the field loses the focus is one step of undo.
 */
export class Typing {
  private readonly send: (command: Command) => void;
  private readonly show: (draft: string | null) => void;
  private readonly later: Later;
  private waiting: { text: string; cancel: () => void } | null = null;
  private gesture = "";

  /** `show` is called with the typed text, or with null to show the text from Python. */
  constructor(
    send: (command: Command) => void,
    show: (draft: string | null) => void,
    wait: Later = later,
  ) {
    this.send = send;
    this.show = show;
    this.later = wait;
  }

  readonly begin = (): void => {
    this.gesture = `text-${Math.random().toString(36).slice(2)}`;
  };

  readonly type = (text: string): void => {
    this.waiting?.cancel();
    this.waiting = { text, cancel: this.later(this.flush, WAIT_MS) };
    this.show(text);
  };

  readonly end = (): void => {
    this.flush();
    this.show(null);
  };

  /** Send the text that is waiting. */
  readonly flush = (): void => {
    if (this.waiting === null) return;
    const { text, cancel } = this.waiting;
    this.waiting = null;
    cancel();
    this.send({ op: "text", text, gesture: this.gesture });
  };
}
