import { useEffect } from "react";
import { useAssets } from "../../../src";
import type { DayOpens } from "../lib/dayOpen";
import { useKeys } from "../lib/keys";
import type { Place } from "../lib/place";
import type { Theme } from "../lib/theme";
import { TIMEFRAMES } from "../lib/timeframes";
import { Fallible } from "../shell/Fallible";
import { ChartPanel } from "./ChartPanel";
import { Tape } from "./Tape";
import { Watchlist } from "./Watchlist";

interface Props {
  readonly place: Place;
  readonly theme: Theme;
  readonly opens: DayOpens;
  readonly go: (change: Partial<Place>) => void;
}

export function MarketView({ place, theme, opens, go }: Props) {
  const assets = useAssets();
  const known = assets.data;
  const asset = place.asset;
  useEffect(() => {
    const first = known?.find(({ price }) => price !== null) ?? known?.[0];
    if (first && !known?.some((each) => each.asset === asset)) go({ asset: first.asset });
  }, [known, asset, go]);
  useKeys((key) => {
    const timeframe = /^[1-8]$/.test(key) ? TIMEFRAMES[Number(key) - 1] : undefined;
    if (timeframe) go({ timeframe });
  });
  const shown = known?.some((each) => each.asset === asset) ? asset : null;
  return (
    <div className="market">
      <Watchlist assets={assets} selected={shown} opens={opens} onSelect={(chosen) => go({ asset: chosen })} />
      <Fallible>
        <ChartPanel asset={shown} timeframe={place.timeframe} theme={theme} onTimeframe={(timeframe) => go({ timeframe })} />
      </Fallible>
      <Tape key={shown} asset={shown} />
    </div>
  );
}
