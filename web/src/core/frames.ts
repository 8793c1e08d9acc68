// One turn a frame, however fast ticks come: what has changed is shown together, and React commits once.

/** What changed and has something to show. */
export interface Shown {
  show(): void;
}

const HIDDEN_MS = 250; // a hidden tab gets no frames; browsers stretch this to a second

export class Frames {
  private readonly changed = new Set<Shown>();
  private cancel: (() => void) | undefined;
  private watching = false;

  /** `part` is shown in the next frame. */
  mark(part: Shown): void {
    this.changed.add(part);
    if (!this.cancel) this.plan();
  }

  /** Show now what waits for the next frame. */
  flush(): void {
    this.cancel?.();
    this.cancel = undefined;
    const parts = [...this.changed];
    this.changed.clear();
    for (const part of parts) shown(part);
  }

  private plan(): void {
    const turn = () => {
      this.cancel = undefined;
      this.flush();
    };
    if (typeof requestAnimationFrame === "function" && !globalThis.document?.hidden) {
      this.watch();
      const frame = requestAnimationFrame(turn);
      this.cancel = () => cancelAnimationFrame(frame);
    } else {
      const timer = setTimeout(turn, HIDDEN_MS);
      this.cancel = () => clearTimeout(timer);
    }
  }

  /** A tab that is hidden while a frame is awaited gets none any more. */
  private watch(): void {
    if (this.watching || !globalThis.document) return;
    this.watching = true;
    document.addEventListener("visibilitychange", this.onVisibility);
  }

  private readonly onVisibility = (): void => {
    if (this.cancel) {
      this.cancel();
      this.plan();
    } else {
      document.removeEventListener("visibilitychange", this.onVisibility);
      this.watching = false;
    }
  };
}

/** What a listener throws is the page's to hear of; the others are shown all the same. */
function shown(part: Shown): void {
  try {
    part.show();
  } catch (error) {
    setTimeout(() => {
      throw error;
    });
  }
}
