// The connection's state and the feed's, as they are watched.

import { Cell } from "./cell.js";
import type { Frames } from "./frames.js";
import type { ConnectionState, FeedStatus, Query, TickwireError } from "./types.js";

/** What the feed's state needs of its client. */
export interface Holder {
  readonly frames: Frames;
  readonly lingerMs: number;
  readonly isOpen: boolean;
  readonly failure: TickwireError | null;
  /** The connection is wanted, or not any more. */
  hold(wanted: boolean): void;
}

export class StateCell extends Cell<ConnectionState> {
  private state: ConnectionState = { name: "idle" };

  set(state: ConnectionState): void {
    this.state = state;
    this.changed();
  }

  protected build(): ConnectionState {
    return this.state;
  }
}

export class FeedCell extends Cell<Query<FeedStatus | undefined>> {
  status: FeedStatus | undefined;
  held = false;
  private linger: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly client: Holder) {
    super(client.frames);
  }

  set(status: FeedStatus): void {
    this.status = status;
    this.changed();
  }

  clear(): void {
    this.status = undefined;
    this.changed();
  }

  touch(): void {
    this.changed();
  }

  protected override onWatched(): void {
    clearTimeout(this.linger);
    this.held = true;
    this.client.hold(true);
  }

  protected override onLeft(): void {
    this.linger = setTimeout(() => {
      this.held = false;
      this.client.hold(false);
    }, this.client.lingerMs);
  }

  protected build(): Query<FeedStatus | undefined> {
    const { status: data } = this;
    const error = this.client.failure;
    const status = data ? (error || !this.client.isOpen ? "stale" : "live") : error ? "error" : "loading";
    return { data, error, status, isStale: status === "stale" };
  }
}
