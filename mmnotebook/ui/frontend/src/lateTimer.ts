// A timer that reports when Python has not answered for some time.

/** The time without an answer after which the user is informed; most answers take a tenth of it. */
export const LATE_MS = 700;

export class LateTimer {
  private timer: ReturnType<typeof setTimeout> | null = null;

  constructor(private readonly late: () => void) {}

  /** Set since when an answer is expected; null if none is. */
  start(since: number | null): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = since === null ? null : setTimeout(this.late, since + LATE_MS - Date.now());
  }
}
