// What is typed into the text and not Python's yet.

import type { Command } from "../scene";

const WAIT_MS = 300;

/** Do it later, unless what this gives is called before. */
type Later = (work: () => void, ms: number) => () => void;

const later: Later = (work, ms) => {
  const timer = setTimeout(work, ms);
  return () => clearTimeout(timer);
};

/**
 * One text's typing.
 *
 * As long as the text has the focus it is the user's: Python's answer, which may be written in
 * another way, neither replaces it nor moves the caret. It is sent when the typing rests, and what
 * is typed from one focus to the next is one step for undo.
 */
export class Typing {
  private readonly send: (command: Command) => void;
  private readonly show: (draft: string | null) => void;
  private readonly later: Later;
  private waiting: { text: string; cancel: () => void } | null = null;
  private gesture = "";

  /** `show` is given what is typed, null when Python's text is to be shown. */
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

  /** Send what waits. */
  readonly flush = (): void => {
    if (this.waiting === null) return;
    const { text, cancel } = this.waiting;
    this.waiting = null;
    cancel();
    this.send({ op: "text", text, gesture: this.gesture });
  };
}
