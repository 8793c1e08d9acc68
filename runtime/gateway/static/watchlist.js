// The list of assets: a row each, painted once per animation frame, chosen by click or keyboard.

import { age, plural, price, rate, setText } from "./format.js";

const SPARK_WIDTH = 52;
const SPARK_HEIGHT = 18;
const SPARK_EVERY_MS = 400;
const FRESH_EVERY_MS = 250;

export class Watchlist {
  constructor({ list, note, filter, count, onSelect }) {
    this.list = list;
    this.noteNode = note;
    this.countNode = count;
    this.onSelect = onSelect;
    this.rows = new Map();
    this.dirty = new Set();
    this.frame = 0;
    this.selected = null;
    this.wanted = "";
    filter.addEventListener("input", () => this.filterBy(filter.value));
    filter.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown" || event.key === "Enter") this.list.focus();
    });
    list.addEventListener("click", (event) => this.onSelect(event.target.closest("[data-asset]")?.dataset.asset));
    list.addEventListener("keydown", (event) => this.key(event));
    addEventListener("keydown", (event) => {
      if (event.key !== "/" || event.target === filter || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      filter.focus();
    });
    setInterval(() => document.hidden || this.freshen(), FRESH_EVERY_MS);
  }

  add(entry) {
    if (this.rows.has(entry.asset)) return;
    const row = new Row(entry);
    this.rows.set(entry.asset, row);
    const after = [...this.list.children].find((node) => node.dataset.asset > entry.asset);
    this.list.insertBefore(row.node, after ?? null);
    row.node.hidden = !this.matches(entry.asset);
    this.mark(entry);
    this.summarise();
  }

  // The entry has changed: its row is painted in the next frame.
  mark(entry) {
    const row = this.rows.get(entry.asset);
    if (!row) return;
    this.dirty.add(row);
    this.frame ||= requestAnimationFrame(() => this.paint());
  }

  paint() {
    this.frame = 0;
    for (const row of this.dirty) row.paint();
    this.dirty.clear();
  }

  freshen() {
    for (const row of this.rows.values()) if (!row.node.hidden) row.freshen();
  }

  select(asset) {
    const before = this.rows.get(this.selected);
    before?.node.setAttribute("aria-selected", "false");
    this.selected = asset;
    const row = this.rows.get(asset);
    if (!row) return;
    row.node.setAttribute("aria-selected", "true");
    this.list.setAttribute("aria-activedescendant", row.node.id);
    row.node.scrollIntoView({ block: "nearest" });
  }

  key(event) {
    const shown = [...this.rows.keys()].filter((asset) => !this.rows.get(asset).node.hidden).sort(byCode);
    const place = shown.indexOf(this.selected);
    const next = { ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: shown.length - 1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    this.onSelect(shown[Math.min(Math.max(next, 0), shown.length - 1)]);
  }

  filterBy(text) {
    this.wanted = text.trim().toLowerCase();
    for (const [asset, row] of this.rows) row.node.hidden = !this.matches(asset);
    this.summarise();
  }

  matches(asset) {
    return asset.toLowerCase().includes(this.wanted);
  }

  summarise() {
    const shown = [...this.rows.values()].filter((row) => !row.node.hidden).length;
    setText(this.countNode, shown === this.rows.size ? `${shown}` : `${shown} of ${this.rows.size}`);
    if (this.rows.size) this.say(shown ? "" : `No asset matches “${this.wanted}”.`);
  }

  say(text) {
    this.noteNode.hidden = !text;
    setText(this.noteNode, text);
  }
}

class Row {
  constructor(entry) {
    this.entry = entry;
    this.node = document.createElement("li");
    this.node.dataset.asset = entry.asset;
    this.node.id = `asset-${encodeURIComponent(entry.asset)}`;
    this.node.setAttribute("role", "option");
    this.node.setAttribute("aria-selected", "false");
    const cell = (part, tag = "span") => {
      const node = document.createElement(tag);
      node.setAttribute(`data-${part}`, "");
      this.node.append(node);
      return node;
    };
    this.name = cell("name");
    this.line = cell("spark", "canvas");
    this.spark = new Spark(this.line);
    this.price = cell("price", "b");
    this.rate = cell("rate");
    this.age = cell("age");
    this.name.textContent = entry.asset;
    this.name.title = entry.asset;
    this.sparkDue = 0;
    this.gapsShown = 0;
  }

  paint() {
    const { entry } = this;
    setText(this.price, price(entry.price, entry.decimals));
    const move = entry.move > 0 ? "up" : entry.move < 0 ? "down" : "";
    if (this.price.dataset.price !== move) this.price.dataset.price = move;
    if (entry.gaps.length !== this.gapsShown) this.showGaps();
    this.line.dataset.move = move;
    this.sparkDue ||= setTimeout(() => this.drawSpark(), SPARK_EVERY_MS);
  }

  drawSpark() {
    this.sparkDue = 0;
    this.spark.draw(this.entry.trail, getComputedStyle(this.line).color);
  }

  showGaps() {
    const gap = this.entry.gaps.at(-1);
    this.gapsShown = this.entry.gaps.length;
    this.node.dataset.gap = this.gapsShown;
    const lost = gap.to === undefined ? "an unknown number of ticks" : plural(gap.to - gap.from + 1, "tick");
    this.name.title = `${this.entry.asset}: ${plural(this.gapsShown, "gap")} since this page was opened, the last one of ${lost}`;
  }

  freshen() {
    const { entry } = this;
    const seconds = entry.ageS;
    setText(this.rate, rate(entry.rate));
    setText(this.age, age(seconds));
    const fresh = entry.stale ? "stale" : seconds === undefined ? "none" : "live";
    if (this.node.dataset.fresh !== fresh) this.node.dataset.fresh = fresh;
  }
}

// A line of the last prices.
class Spark {
  constructor(canvas) {
    this.canvas = canvas;
    canvas.setAttribute("aria-hidden", "true");
  }

  draw(prices, colour) {
    const scale = devicePixelRatio;
    const { canvas } = this;
    if (canvas.width !== SPARK_WIDTH * scale) {
      canvas.width = SPARK_WIDTH * scale;
      canvas.height = SPARK_HEIGHT * scale;
    }
    const pen = canvas.getContext("2d");
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, SPARK_WIDTH, SPARK_HEIGHT);
    if (prices.length < 2) return;
    const low = Math.min(...prices);
    const span = Math.max(...prices) - low;
    pen.beginPath();
    prices.forEach((value, i) => {
      const x = (i / (prices.length - 1)) * (SPARK_WIDTH - 2) + 1;
      const y = span ? SPARK_HEIGHT - 2 - ((value - low) / span) * (SPARK_HEIGHT - 4) : SPARK_HEIGHT / 2;
      pen.lineTo(x, y);
    });
    pen.strokeStyle = colour;
    pen.lineWidth = 1.2;
    pen.globalAlpha = 0.8;
    pen.stroke();
  }
}

function byCode(a, b) {
  return a < b ? -1 : a > b ? 1 : 0;
}
