// The page: one stream of ticks for all assets, one of candles for the chosen one, the relay's states by polling.

import { Actors } from "./actors.js";
import { getJson, poll } from "./api.js";
import { Book } from "./book.js";
import { Chart, TIMEFRAMES } from "./chart.js";
import { clock, plural, price, setText } from "./format.js";
import { Status } from "./status.js";
import { Stream } from "./stream.js";
import { Watchlist } from "./watchlist.js";

const ASSETS_MAX = 500; // the relay allows 512 channels a connection
const ASSETS_EVERY_MS = 3_000;
const STATES_EVERY_MS = 1_000;

const $ = (id) => document.getElementById(id);
const shown = { asset: null, timeframe: "1m" };
const book = new Book();
const status = new Status({ pills: document.querySelectorAll(".pill"), banner: $("banner") });
const actors = new Actors({ body: $("actors"), note: $("actors-note"), sum: $("actors-sum") });
const list = new Watchlist({
  list: $("assets"), note: $("assets-note"), filter: $("filter"), count: $("asset-count"), onSelect: (asset) => asset && show({ asset }),
});
const chart = new Chart({ container: $("chart"), overlay: $("overlay"), legend: $("legend"), onRetry: () => show({}) });

const ticks = new Stream({
  subscription: (asset) => ({ mode: "ticks", since: book.since(asset) }),
  onMessage: onTicks,
  onState: (state) => {
    status.set("page", state);
    if (state.name !== "open") return;
    askAssets();
    askStates();
  },
});
const candles = new Stream({
  subscription: () => ({ mode: "candles", timeframe: shown.timeframe }),
  onMessage: onCandles,
  onState: (state) => {
    if (state.name === "open" && shown.asset) chart.show(shown.asset, shown.timeframe, { again: true });
  },
});

function onTicks(message) {
  if (message.type === "status") {
    status.change("feed", message.feed);
    status.change("redis", message.redis);
    return;
  }
  if (message.type === "error") {
    status.complain(message.message);
    return;
  }
  const gapsBefore = message.asset ? book.entry(message.asset).gaps.length : 0;
  const entry = book.take(message);
  if (!entry) return;
  list.mark(entry);
  if (entry.asset !== shown.asset) return;
  headline(entry);
  if (entry.gaps.length > gapsBefore) chart.missed(entry.gaps.at(-1).at, "gap");
}

function onCandles(message) {
  if (message.type === "candle" && message.asset === shown.asset && message.timeframe === shown.timeframe) chart.update(message);
  if (message.type === "error") status.complain(message.message);
}

function headline(entry) {
  chart.decimals = entry.decimals;
  setText($("last-price"), price(entry.price, entry.decimals));
  $("last-price").dataset.move = entry.move > 0 ? "up" : entry.move < 0 ? "down" : "";
  document.title = `${price(entry.price, entry.decimals)} ${entry.asset} · tickwire`;
}

// Chooses an asset, a timeframe, or both again after a failure.
function show({ asset = shown.asset, timeframe = shown.timeframe }) {
  if (shown.asset) candles.unsubscribe(shown.asset);
  Object.assign(shown, { asset, timeframe });
  if (!asset) return;
  list.select(asset);
  setText($("asset-name"), asset);
  headline(book.entry(asset));
  for (const button of $("timeframes").children) button.setAttribute("aria-pressed", String(button.value === timeframe));
  history.replaceState(null, "", `#${new URLSearchParams({ asset, timeframe })}`);
  candles.subscribe(asset);
  chart.show(asset, timeframe);
  for (const gap of book.entry(asset).gaps) chart.missed(gap.at, "gap");
}

async function askAssets() {
  try {
    const { assets } = await getJson("api/v1/assets");
    takeAssets(assets);
  } catch (error) {
    if (!list.rows.size) list.say(`No assets: ${error.message}.`);
  }
}

function takeAssets(assets) {
  const wanted = new URLSearchParams(location.hash.slice(1));
  for (const { asset, stale } of assets) {
    if (!list.rows.has(asset) && list.rows.size >= ASSETS_MAX) break;
    const entry = book.entry(asset);
    entry.stale = Boolean(stale);
    list.add(entry);
    ticks.subscribe(asset);
  }
  if (!assets.length) list.say("The feed has announced no asset yet.");
  else if (assets.length > ASSETS_MAX) list.say(`The first ${plural(ASSETS_MAX, "asset")} of ${assets.length}.`);
  if (shown.asset || !list.rows.size) return;
  const priced = assets.filter((row) => row.price !== null && row.price !== undefined);
  const first = (priced[0] ?? assets[0]).asset;
  const timeframe = wanted.get("timeframe");
  show({
    asset: list.rows.has(wanted.get("asset")) ? wanted.get("asset") : first,
    timeframe: timeframe in TIMEFRAMES ? timeframe : shown.timeframe,
  });
}

async function askStates() {
  try {
    const [answer, whole] = await Promise.all([getJson("api/v1/actors"), getJson("api/v1/status")]);
    actors.show(answer.actors);
    for (const part of ["redis", "store"]) status.set(part, { name: whole[part].state, detail: whole[part].detail });
    const feeds = Object.entries(whole.feeds);
    const told = feeds.filter(([, { detail }]) => detail).map(([name, { detail }]) => `${name}: ${detail}`);
    status.set("feed", { name: whole.system.stream, detail: told.join("; ") });
  } catch (error) {
    actors.fail(`Not known now: ${error.message}.`);
  }
}

for (const timeframe of Object.keys(TIMEFRAMES)) {
  const button = document.createElement("button");
  Object.assign(button, { type: "button", value: timeframe, textContent: timeframe });
  button.addEventListener("click", () => show({ timeframe }));
  $("timeframes").append(button);
}
setInterval(() => setText($("clock"), clock(new Date())), 500);
ticks.open();
candles.open();
poll(askAssets, ASSETS_EVERY_MS, () => ticks.isOpen);
poll(askStates, STATES_EVERY_MS, () => ticks.isOpen);
