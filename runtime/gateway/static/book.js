// What is known of each asset: last price, where its ticks stand, how fast and how fresh they are.

const TRAIL = 60; // prices kept for the small line
const RATE_SPAN_S = 10;
const GAPS_KEPT = 20;

export class Book {
  constructor() {
    this.entries = new Map();
  }

  entry(asset) {
    let entry = this.entries.get(asset);
    if (!entry) {
      entry = new Entry(asset);
      this.entries.set(asset, entry);
    }
    return entry;
  }

  since(asset) {
    const { epoch, seq } = this.entry(asset);
    return epoch ? { epoch, seq } : undefined;
  }

  // Takes a message of the relay's; returns the entry that it changed, if any.
  take(message) {
    if (!message.asset) return undefined;
    const entry = this.entry(message.asset);
    switch (message.type) {
      case "subscribed":
        entry.subscribed(message);
        return entry;
      case "ticks":
        for (const [seq, timestamp, price] of message.ticks) entry.tick(message.epoch, seq, seq, timestamp, price, 1);
        return entry;
      case "ohlc":
        entry.tick(message.epoch, message.from, message.to, message.timestamp, message.c, message.n);
        return entry;
      case "gap":
        entry.gap(message.from, message.to);
        return entry;
      default:
        return undefined;
    }
  }
}

class Entry {
  constructor(asset) {
    this.asset = asset;
    this.price = undefined;
    this.move = 0;
    this.decimals = 0;
    this.timestamp = undefined;
    this.seenAt = undefined;
    this.epoch = null;
    this.seq = 0;
    this.stale = false;
    this.trail = [];
    this.gaps = [];
    this.seconds = new Array(RATE_SPAN_S).fill(0);
    this.second = 0;
    this.firstSecond = undefined;
  }

  subscribed({ recovered, epoch, seq, snapshot }) {
    const first = snapshot[0]?.[0];
    if (this.epoch && !recovered) {
      if (epoch !== this.epoch) this.note(this.seq + 1, undefined);
      else if (first > this.seq + 1) this.note(this.seq + 1, first - 1);
    }
    if (!recovered) {
      this.trail = [];
      this.epoch = null;
    }
    for (const [, timestamp, price] of snapshot) this.see(price, timestamp);
    const newest = snapshot.at(-1);
    if (newest) this.seenAt = performance.now() - Math.max(0, Date.now() - newest[1] * 1000);
    if (epoch) {
      this.epoch = epoch;
      this.seq = seq ?? newest?.[0] ?? 0;
    }
  }

  tick(epoch, from, to, timestamp, price, count) {
    if (epoch === this.epoch && to <= this.seq) return;
    if (epoch === this.epoch && from > this.seq + 1) this.note(this.seq + 1, from - 1);
    this.epoch = epoch;
    this.seq = to;
    this.see(price, timestamp);
    this.seenAt = performance.now();
    this.count(count);
  }

  gap(from, to) {
    this.note(from, to);
    this.seq = Math.max(this.seq, to);
  }

  // Ticks that this page has missed: `to` is undefined where nobody knows how many.
  note(from, to) {
    this.gaps.push({ from, to, at: this.timestamp ?? Date.now() / 1000 });
    if (this.gaps.length > GAPS_KEPT) this.gaps.shift();
  }

  see(price, timestamp) {
    if (this.price !== undefined && price !== this.price) this.move = Math.sign(price - this.price);
    this.price = price;
    this.timestamp = timestamp;
    this.decimals = Math.max(this.decimals, decimalsOf(price));
    this.trail.push(price);
    if (this.trail.length > TRAIL) this.trail.shift();
  }

  count(ticks) {
    this.turn();
    this.seconds[this.second % RATE_SPAN_S] += ticks;
  }

  turn() {
    const now = Math.floor(performance.now() / 1000);
    this.firstSecond ??= now;
    for (let s = Math.max(this.second + 1, now - RATE_SPAN_S + 1); s <= now; s++) this.seconds[s % RATE_SPAN_S] = 0;
    this.second = now;
  }

  // Ticks a second over the last ten, the running one left out.
  get rate() {
    this.turn();
    const span = Math.min(RATE_SPAN_S - 1, this.second - this.firstSecond);
    if (span < 1) return undefined;
    const all = this.seconds.reduce((sum, ticks) => sum + ticks, 0);
    return (all - this.seconds[this.second % RATE_SPAN_S]) / span;
  }

  get ageS() {
    return this.seenAt === undefined ? undefined : (performance.now() - this.seenAt) / 1000;
  }
}

function decimalsOf(price) {
  const text = String(price);
  const exponent = /e-(\d+)$/.exec(text);
  const point = text.indexOf(".");
  const written = point < 0 ? 0 : text.replace(/e.*/, "").length - point - 1;
  return Math.min(10, written + (exponent ? Number(exponent[1]) : 0));
}
