// The actors' states and restarts.

import { plural, setText } from "./format.js";

const FLASH_MS = 4_000;
const LEVELS = { running: "good", stopped: "wait", starting: "wait" };

export class Actors {
  constructor({ body, note, sum }) {
    this.body = body;
    this.note = note;
    this.sum = sum;
    this.rows = new Map();
  }

  show(actors) {
    this.note.hidden = true;
    for (const actor of actors) this.row(actor.id).show(actor);
    for (const [id, row] of this.rows) {
      if (actors.some((actor) => actor.id === id)) continue;
      row.node.remove();
      this.rows.delete(id);
    }
    const restarts = actors.reduce((sum, actor) => sum + actor.restarts, 0);
    const running = actors.filter((actor) => actor.state === "running").length;
    setText(this.sum, `${running} of ${actors.length} running, ${plural(restarts, "restart")}`);
  }

  fail(text) {
    this.note.hidden = false;
    setText(this.note, text);
  }

  row(id) {
    let row = this.rows.get(id);
    if (!row) {
      row = new Row(id);
      this.rows.set(id, row);
      this.body.append(row.node);
    }
    return row;
  }
}

class Row {
  constructor(id) {
    this.node = document.createElement("tr");
    this.node.dataset.actor = id;
    const cell = (part) => {
      const node = document.createElement("td");
      node.setAttribute(`data-${part}`, "");
      this.node.append(node);
      return node;
    };
    this.name = cell("name");
    this.state = cell("state");
    this.restarts = cell("restarts");
    this.mailbox = cell("mailbox");
    this.name.textContent = id;
  }

  show({ state, restarts, last_error: error, mailbox_depth: depth }) {
    if (this.seen !== undefined && restarts > this.seen) this.flash();
    this.seen = restarts;
    setText(this.state, state);
    this.state.dataset.level = LEVELS[state] ?? "bad";
    setText(this.restarts, `${restarts}`);
    setText(this.mailbox, `${depth}`);
    this.node.title = error ? `last error: ${error}` : "";
  }

  flash() {
    this.node.classList.add("restarted");
    clearTimeout(this.over);
    this.over = setTimeout(() => this.node.classList.remove("restarted"), FLASH_MS);
  }
}
