import { useMemo, useState } from "react";
import { TickwireProvider, useAssets, useConnection, useFeedStatus, useRelayStatus } from "../../src";
import { DayOpens } from "./lib/dayOpen";
import { jsonFetcher } from "./lib/http";
import { useKeys } from "./lib/keys";
import { usePlace } from "./lib/place";
import { choose, useTheme } from "./lib/theme";
import { keepToken, takeToken } from "./lib/token";
import { useFlows } from "./lib/useFlows";
import { MarketView } from "./market/MarketView";
import { Banner } from "./shell/Banner";
import { HelpDialog } from "./shell/HelpDialog";
import { TokenDialog } from "./shell/TokenDialog";
import { TopBar } from "./shell/TopBar";
import { SystemView } from "./system/SystemView";

const given = takeToken();

export function App() {
  const [token, setToken] = useState(given);
  const enter = (typed: string) => {
    keepToken(typed);
    setToken(typed);
  };
  return (
    <TickwireProvider key={token} token={token ?? undefined}>
      <Dashboard token={token} onToken={enter} />
    </TickwireProvider>
  );
}

interface Props {
  readonly token: string | null;
  readonly onToken: (token: string) => void;
}

function Dashboard({ token, onToken }: Props) {
  const theme = useTheme();
  const [place, go] = usePlace();
  const [helping, setHelping] = useState(false);
  const page = useConnection();
  const { data: feed } = useFeedStatus();
  const { data: whole } = useRelayStatus();
  const assets = useAssets();
  const metrics = useFlows();
  const opens = useMemo(() => new DayOpens(jsonFetcher(token)), [token]);
  useKeys((key) => {
    if (key === "?") setHelping(true);
    else if (key === "m") go({ view: "market" });
    else if (key === "s") go({ view: "system" });
    else if (key === "t") choose(theme === "dark" ? "light" : "dark");
  });
  const parts = { page, feed, whole };
  return (
    <>
      <a className="skip" href="#main" onClick={(event) => { event.preventDefault(); document.getElementById("main")?.focus(); }}>To the content</a>
      <TopBar {...parts} view={place.view} theme={theme} onView={(view) => go({ view })} onHelp={() => setHelping(true)} />
      <Banner {...parts} />
      <main id="main" tabIndex={-1} aria-label={place.view === "market" ? "Market" : "System"}>
        {place.view === "market"
          ? <MarketView place={place} theme={theme} opens={opens} go={go} />
          : <SystemView metrics={metrics} />}
      </main>
      <footer>
        Times are UTC · <a href="metrics">metrics</a> · <a href="openapi.json">API</a> · {whole && `tickwire ${whole.version} · `}
        charts: TradingView Lightweight Charts™, © 2026 <a href="https://www.tradingview.com/" rel="noopener">TradingView, Inc.</a> ·{" "}
        <a href="static/LICENSES.txt">licences</a>
      </footer>
      <HelpDialog open={helping} onClose={() => setHelping(false)} />
      {assets.error?.code === "unauthorized" && <TokenDialog refused={token !== null} onToken={onToken} />}
    </>
  );
}
