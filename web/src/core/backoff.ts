// How long until the next attempt to connect.

export interface BackoffOptions {
  readonly firstMs: number;
  readonly longestMs: number;
  /** 0 … 1; a test's is fixed. */
  readonly random: () => number;
}

export const BACKOFF: BackoffOptions = { firstMs: 500, longestMs: 15_000, random: Math.random };

const POLITE_MS = 2_000;
const ASKED_TO_WAIT = new Set([1008, 1013]);

export class Backoff {
  private attempts = 0;

  constructor(private readonly options: BackoffOptions = BACKOFF) {}

  /** A connection held: the next loss begins anew. */
  reset(): void {
    this.attempts = 0;
  }

  /** Between half and all of a time that doubles, so that a thousand browsers don't come back in one moment. */
  next(code: number): number {
    const { firstMs, longestMs, random } = this.options;
    const doubled = Math.min(longestMs, firstMs * 2 ** Math.min(this.attempts++, 30));
    const longest = ASKED_TO_WAIT.has(code) ? Math.max(doubled, POLITE_MS) : doubled;
    return longest * (0.5 + random() / 2);
  }
}
