// One subscription of /ws: watched by any number of hooks, asked for once, kept a short while after the last one has gone.

import { Cell } from "./cell.js";
import type { Frames } from "./frames.js";
import type { ClientMessage, Subscribed } from "./protocol.js";
import type { Query, QueryStatus, TickwireError } from "./types.js";

/** What a channel needs of its client. */
export interface Line {
  readonly frames: Frames;
  readonly lingerMs: number;
  readonly isOpen: boolean;
  /** Why nothing comes, where it is known. */
  readonly failure: TickwireError | null;
  /** The feed says that its prices are not of now. */
  readonly feedIsQuiet: boolean;
  join(channel: AnyChannel): void;
  leave(channel: AnyChannel): void;
  send(message: ClientMessage): void;
}

/** Of whatever kind. */
export type AnyChannel = Channel<unknown>;

const ANSWER_WITHIN_MS = 10_000;
const ASK_AGAIN_MS = 5_000;

export abstract class Channel<T> extends Cell<Query<T>> {
  /** The relay has confirmed it on this connection. */
  protected joined = false;
  protected error: TickwireError | null = null;
  private linger: ReturnType<typeof setTimeout> | undefined;
  private again: ReturnType<typeof setTimeout> | undefined;
  private held = false;

  constructor(
    protected readonly line: Line,
    readonly asset: string,
  ) {
    super(line.frames);
  }

  protected abstract data(): T;
  protected abstract get hasData(): boolean;
  protected abstract request(): ClientMessage;
  /** Whoever watches next begins anew. */
  protected abstract forget(): void;

  // -- watched and left

  protected override onWatched(): void {
    clearTimeout(this.linger);
    this.linger = undefined;
    if (this.held || this.impossible()) return;
    this.held = true;
    this.line.join(this as AnyChannel);
  }

  protected override onLeft(): void {
    if (this.held) this.linger = setTimeout(() => this.release(), this.line.lingerMs);
  }

  private release(): void {
    this.held = this.joined = false;
    this.error = null;
    clearTimeout(this.again);
    this.line.leave(this as AnyChannel);
    this.forget();
    this.changed();
  }

  /** Nothing to ask the relay for: the error says why. */
  protected impossible(): boolean {
    return this.error !== null;
  }

  // -- asked and answered

  ask(): void {
    if (!this.line.isOpen) return;
    this.askAgain(ANSWER_WITHIN_MS);
    this.line.send(this.request());
  }

  onSubscribed(_message: Subscribed): void {
    clearTimeout(this.again);
    this.joined = true;
    this.error = null;
    this.changed();
  }

  /** What the relay does not know today it may know later. */
  onRefused(error: TickwireError): void {
    this.error = error;
    this.askAgain(ASK_AGAIN_MS);
    this.changed();
  }

  onConnection(): void {
    if (!this.line.isOpen) {
      this.joined = false;
      clearTimeout(this.again);
    }
    this.changed();
  }

  onFeed(): void {
    this.changed();
  }

  private askAgain(ms: number): void {
    clearTimeout(this.again);
    this.again = setTimeout(() => this.ask(), ms);
  }

  // -- shown

  protected build(): Query<T> {
    const error = this.error ?? this.line.failure;
    const status = this.status(error);
    return { data: this.data(), error, status, isStale: status === "stale" };
  }

  private status(error: TickwireError | null): QueryStatus {
    const complete = this.joined && this.isLoaded;
    if (complete && !this.line.feedIsQuiet) return "live";
    if (complete || this.hasData) return "stale";
    return error ? "error" : "loading";
  }

  protected get isLoaded(): boolean {
    return true;
  }
}
