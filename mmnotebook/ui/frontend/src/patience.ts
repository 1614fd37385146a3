// Notices when an answer is long in coming.

/** From when on it is worth a word; most answers take a tenth of it. */
export const LATE_MS = 700;

export class Patience {
  private timer: ReturnType<typeof setTimeout> | null = null;

  constructor(private readonly late: () => void) {}

  /** Since when an answer is awaited; null for none, or no more. */
  await(since: number | null): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = since === null ? null : setTimeout(this.late, since + LATE_MS - Date.now());
  }
}
