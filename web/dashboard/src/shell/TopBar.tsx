import type { ConnectionState, FeedStatus, RelayStatus } from "../../../src";
import { useNow } from "../lib/clock";
import { NONE } from "../lib/format";
import { useHint } from "../lib/keys";
import type { View } from "../lib/place";
import { choose, type Theme } from "../lib/theme";
import { GLYPHS, levelOf, type Level } from "../system/path";

export interface Parts {
  readonly page: ConnectionState;
  readonly feed: FeedStatus | undefined;
  readonly whole: RelayStatus | undefined;
}

/** What each feed says of itself. */
export function feedDetails(whole: RelayStatus | undefined): string {
  const told = Object.entries(whole?.feeds ?? {}).filter(([, { detail }]) => detail);
  return told.map(([name, { detail }]) => `${name}: ${detail}`).join("; ");
}

interface Props extends Parts {
  readonly view: View;
  readonly theme: Theme;
  readonly onView: (view: View) => void;
  readonly onHelp: () => void;
}

const PAGE: Readonly<Record<ConnectionState["name"], readonly [string, Level]>> = {
  idle: ["connecting", "wait"], connecting: ["connecting", "wait"], open: ["connected", "good"], waiting: ["reconnecting", "bad"],
};

export function TopBar({ view, theme, page, feed, whole, onView, onHelp }: Props) {
  const hint = useHint();
  const known = page.name === "open";
  const [pageState, pageLevel] = PAGE[page.name];
  return (
    <header className="top">
      <h1><img src="static/favicon.svg" alt="" width="22" height="22" />tickwire</h1>
      <nav aria-label="Views" className="segmented">
        <Tab view="market" now={view} onView={onView}>Market</Tab>
        <Tab view="system" now={view} onView={onView}>System</Tab>
      </nav>
      <ul className="pills" aria-label="Status">
        <Pill part="page" state={pageState} level={pageLevel} detail="" />
        <Pill part="feed" state={feed?.feed ?? whole?.system.stream} known={known} detail={feedDetails(whole)} />
        <Pill part="redis" state={feed?.redis ?? whole?.redis.state} known={known} detail={whole?.redis.detail ?? ""} />
        <Pill part="store" state={whole?.store.state} known={known} detail={whole?.store.detail ?? ""} />
      </ul>
      <Clock />
      <div className="tools">
        <button type="button" className="icon" onClick={() => choose(theme === "dark" ? "light" : "dark")} aria-label={theme === "dark" ? "Light colours" : "Dark colours"} title={hint("dark or light", "t")}>
          <span aria-hidden="true">{theme === "dark" ? "☀" : "☾"}</span>
        </button>
        <button type="button" className="icon" onClick={onHelp} aria-label="Keys and help" title={hint("keys", "?")}><span aria-hidden="true">?</span></button>
      </div>
    </header>
  );
}

interface TabProps {
  readonly view: View;
  readonly now: View;
  readonly onView: (view: View) => void;
  readonly children: string;
}

function Tab({ view, now, onView, children }: TabProps) {
  return <button type="button" aria-current={view === now ? "page" : undefined} onClick={() => onView(view)}>{children}</button>;
}

interface PillProps {
  readonly part: string;
  readonly state: string | undefined;
  readonly level?: Level;
  readonly known?: boolean;
  readonly detail: string;
}

function Pill({ part, state, level = levelOf(state), known = true, detail }: PillProps) {
  const shown = known ? level : "wait";
  return (
    <li className="pill" data-part={part} data-level={shown} title={detail || undefined}>
      <span className="pill-glyph" aria-hidden="true">{GLYPHS[shown]}</span> {part} <b>{(known && state) || NONE}</b>
    </li>
  );
}

function Clock() {
  const now = new Date(useNow()).toISOString();
  return <time className="clock" dateTime={now}>{now.slice(11, 19)} UTC</time>;
}
