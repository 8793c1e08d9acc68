"""CacheManager's part that keeps `historical:{asset}:{timeframe}` in Redis: in slices, so that no turn is long."""

from collections.abc import Sequence
from itertools import islice

import structlog

from tickwire.actors.ports import CacheRedis, PortError
from tickwire.market.candle_book import CandleBook, Key
from tickwire.market.candle_codec import BadCandles, decode_candles
from tickwire.market.candles import AssetCandles
from tickwire.market.timeframes import TIMEFRAMES
from tickwire.messages.candles import Candle

_log = structlog.get_logger("tickwire.cache_manager")

WRITE_EVERY_S = 0.02
WRITE_KEYS = 8
"""Keys that a turn writes at most."""
RECALL_KEYS = 2
"""Those among them that are read first: an array takes half a millisecond to understand."""
LOOK_AT = 64
RETRY_S = 1.0


class CandleKeys:
    def __init__(self, cache: CacheRedis, book: CandleBook) -> None:
        self._cache = cache
        self._book = book
        self._not_before = float("-inf")
        self._trouble = ""

    def due(self) -> float | None:
        """When `write` has something to do; a link that is down comes up with a message."""
        return self._not_before if self._book.unwritten and self._cache.link.up else None

    def write(self, now: float) -> None:
        """Write a slice of what changed, unless one has just been written."""
        due = self.due()
        if due is None or now < due:
            return
        book = self._book
        keys = self._slice()
        try:
            self._recall([key for key in keys if key[1] not in self._asset(key).seeded])
            self._cache.put([(key[0], TIMEFRAMES[key[1]], self._asset(key).encoded(key[1], book.size)) for key in keys])
        except PortError as error:
            self._note(str(error))
            self._not_before = now + RETRY_S
            return
        self._note("")
        for key in keys:
            book.unwritten.pop(key, None)
        self._not_before = now + WRITE_EVERY_S

    def recall(self, name: str, timeframe: str) -> AssetCandles | None:
        """An asset with what an earlier run cached of this timeframe; what is not known yet is known after."""
        return self.recalled(name, timeframe)[0]

    def recalled(self, name: str, timeframe: str) -> tuple[AssetCandles | None, Sequence[Candle] | None]:
        """As `recall`, with what was read just now where nothing else is known of the asset: it is shown as it is."""
        asset, level = self._book.get(name), TIMEFRAMES.index(timeframe)
        if not self._cache.link.up or (asset is not None and level in asset.seeded):
            return asset, None
        try:
            (payload,) = self._cache.get_many([(name, timeframe)])
        except PortError as error:
            self._note(str(error))
            return asset, None
        alone = asset is None
        if asset is None and payload is not None:
            asset = AssetCandles(self._book.size)
            self._book.add(name, asset)
        if asset is None:
            return None, None
        candles = self._adopt(name, level, payload)
        return asset, candles if alone else None

    def _slice(self) -> list[Key]:
        """Those that wait the longest, of which few have to be read first."""
        keys: list[Key] = []
        strange = 0
        for key in islice(self._book.unwritten, LOOK_AT):
            if key[1] not in self._asset(key).seeded:
                strange += 1
                if strange > RECALL_KEYS:
                    continue
            keys.append(key)
            if len(keys) == WRITE_KEYS:
                break
        return keys

    def _recall(self, keys: list[Key]) -> None:
        """What an earlier run knew, before it is overwritten."""
        payloads = self._cache.get_many([(name, TIMEFRAMES[level]) for name, level in keys])
        for (name, level), payload in zip(keys, payloads, strict=True):
            self._adopt(name, level, payload)

    def _adopt(self, name: str, level: int, payload: bytes | None) -> Sequence[Candle]:
        timeframe, candles = TIMEFRAMES[level], list[Candle]()
        if payload is not None:
            try:
                candles = decode_candles(payload, timeframe)
                self._book.adopt(name, timeframe, candles, ours=True)
                if candles:
                    self._asset((name, level)).recalled.add(timeframe)
            except BadCandles as error:
                _log.warning("bad_cached_candles", asset=name, timeframe=timeframe, reason=str(error))
        self._book.seeded(name, level)
        return candles

    def _asset(self, key: Key) -> AssetCandles:
        """Whoever has unwritten keys is in the book."""
        asset = self._book.peek(key[0])
        assert asset is not None
        return asset

    def _note(self, trouble: str) -> None:
        if trouble and trouble != self._trouble:
            _log.warning("cache_not_written", reason=trouble)
        self._trouble = trouble
