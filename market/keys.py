"""Every Redis key and channel of tickwire: type, content, owner and lifetime. Nothing else builds a key.

| name | type | content | written by | lives |
|---|---|---|---|---|
| `ticks:{asset}` | list | newest 1000 ticks as JSON, newest first | BufferKeeper | for ever, capped |
| `updates:{asset}` | channel | one JSON tick a message | Publisher | – |
| `market_data` | channel | the same for all assets (off by default) | Publisher | – |
| `historical:{asset}:{timeframe}` | string | JSON array of ≤ 200 candles, oldest first | CacheManager | 3600 s |
| `system_status` | channel | `{service,status,timestamp,details}` | MetricsCollector | – |
| `tickwire:outbox:PRODUCER` | stream | packed columns | BufferKeeper | until stored |
| `tickwire:acked:PRODUCER` | string | highest entry id stored | BatchWriter | for ever |
| `tickwire:epoch:ASSET` | hash | epoch, seq, clean, boot | BufferKeeper | for ever |
| `tickwire:assets` | hash | asset → JSON {feed, source, …} | TickIngestor | for ever |
| `tickwire:heartbeat` | channel | wall clock µs, every 2 s | Publisher | – |
| `tickwire:candles` | channel | closed candles as JSON | Publisher | – |
"""

from dataclasses import dataclass

GROUP = "tickwire"
"""The consumer group of every outbox stream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Key templates in str.format spelling; on Redis Cluster `ticks:{{{asset}}}` makes the asset the hash tag."""

    ticks_template: str = "ticks:{asset}"
    updates_template: str = "updates:{asset}"
    historical_template: str = "historical:{asset}:{timeframe}"
    market_data: str = "market_data"
    system_status: str = "system_status"
    epoch_template: str = "tickwire:epoch:{asset}"
    outbox_template: str = "tickwire:outbox:{producer}"
    acked_template: str = "tickwire:acked:{producer}"
    assets: str = "tickwire:assets"
    heartbeat: str = "tickwire:heartbeat"
    candles: str = "tickwire:candles"

    def ticks(self, asset: str) -> str:
        return self.ticks_template.format(asset=asset)

    def updates(self, asset: str) -> str:
        return self.updates_template.format(asset=asset)

    def historical(self, asset: str, timeframe: str) -> str:
        return self.historical_template.format(asset=asset, timeframe=timeframe)

    def epoch(self, asset: str) -> str:
        return self.epoch_template.format(asset=asset)

    def outbox(self, producer: str) -> str:
        return self.outbox_template.format(producer=producer)

    def acked(self, producer: str) -> str:
        return self.acked_template.format(producer=producer)
