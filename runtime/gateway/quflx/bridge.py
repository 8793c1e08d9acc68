"""Joins QuFLX's browsers to the fan-out: one of its clients stands for all of them. In the event loop.

An asset is watched as long as anybody holds it. A hold is of a kind (`updates` and `stream` are v1's, `market` is v2's)
and in the spelling that the client used, which is the spelling it hears.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Literal

import orjson

from tickwire.actors.kernel.behaviour import PutResult
from tickwire.messages.candles import Candle
from tickwire.messages.clients import CandleOut, ChannelWanted, Joined, Refused, TicksOut
from tickwire.messages.history import HistoryRequested, HistoryServed
from tickwire.runtime.gateway.fanout import Channel, Fanout
from tickwire.runtime.gateway.frames import GapFrame, TicksFrame
from tickwire.runtime.gateway.quflx import shapes
from tickwire.runtime.gateway.quflx.minutes import MINUTE, Minutes
from tickwire.runtime.gateway.quflx.outlet import Outlet
from tickwire.runtime.gateway.quflx.refusals import Refusal
from tickwire.runtime.gateway.services import Services, Unanswered, ask

JOIN_S = 5.0
LEARN_S = 2.0
"""For the candle cache: without its answer the minute is what its ticks say."""
SETTLE_S = 0.05
MOST_APIECE = 50
"""Ticks of one turn that each get a packet; of more, the last stands for all, its minute covers them."""

Kind = Literal["updates", "stream", "market"]
Tick = tuple[int, float, float, Candle | None]
"""seq, seconds UTC, price, and the minute that it is part of."""


def room_of(kind: Kind, asset: str, name: str) -> str:
    return f"{kind}:{asset}:{name}"


class Follow:
    """An asset that somebody holds."""

    def __init__(self, begun: "asyncio.Task[None]") -> None:
        self.begun = begun
        self.relearning: asyncio.Task[None] | None = None
        self.holds: Counter[tuple[Kind, str]] = Counter()
        self.minutes = Minutes()

    def names(self, kind: Kind) -> list[str]:
        return [name for each, name in self.holds if each == kind]


class Bridge:
    """`fanout.Client`."""

    def __init__(self, fanout: Fanout, services: Services, outlet: Outlet) -> None:
        self.id = fanout.next_number()
        self.channels: dict[Channel, int] = {}
        self.waiting = False
        self.browsers = 0
        self.on_status: Callable[[], None] = lambda: None
        self.on_beat: Callable[[], None] = lambda: None
        self._fanout = fanout
        self._services = services
        self._outlet = outlet
        self._follows: dict[str, Follow] = {}
        self._answers: dict[Channel, asyncio.Future[None]] = {}
        self._settling = False
        self._written = 0

    # -- holds

    async def hold(self, kind: Kind, asset: str, name: str) -> None:
        """From here on the room of it hears of the asset. Raises Refusal; then nothing is held."""
        follow = self._follows.get(asset)
        if follow is None:
            follow = self._follows[asset] = Follow(asyncio.create_task(self._begin(asset)))
        follow.holds[kind, name] += 1
        try:
            await asyncio.shield(follow.begun)
        except Refusal:
            self.release(kind, asset, name)
            raise
        except asyncio.CancelledError:
            self.release(kind, asset, name)
            raise

    def release(self, kind: Kind, asset: str, name: str) -> None:
        follow = self._follows.get(asset)
        if follow is None:
            return
        follow.holds[kind, name] -= 1
        follow.holds += Counter()  # drops what is held no more
        if not follow.holds:
            del self._follows[asset]
            follow.begun.cancel()
            self._fanout.leave(self, asset)

    async def _begin(self, asset: str) -> None:
        """Join the asset's channels, and learn of the minute what was before."""
        with suppress(asyncio.CancelledError):  # everybody has let go of it
            try:
                async with asyncio.timeout(JOIN_S):
                    for timeframe in (None, MINUTE):
                        await self._join(asset, timeframe)
            except (TimeoutError, Unanswered) as error:
                raise Refusal(f"{asset}: {error or 'the gateway did not answer in time'}; try again") from error
            await self._learn_minute(asset)

    async def _join(self, asset: str, timeframe: str | None) -> None:
        ticket = self._fanout.next_number()
        channel = (asset, timeframe)
        self._answers[channel] = asyncio.get_running_loop().create_future()
        self.channels[channel] = ticket
        wanted = ChannelWanted(
            incarnation=self._fanout.incarnation, client=self.id, ticket=ticket, asset=asset, timeframe=timeframe
        )
        try:
            if self._fanout.tell(wanted) is not PutResult.ACCEPTED:
                raise Unanswered("the gateway takes no more requests now")
            await self._answers[channel]
        finally:
            self._answers.pop(channel, None)

    async def _learn_minute(self, asset: str) -> None:
        with suppress(Unanswered):
            answer = await ask(
                self._services.cache,
                "candle cache",
                lambda to: HistoryRequested(asset=asset, timeframe=MINUTE, limit=1, reply_to=to),
                timeout_s=LEARN_S,
            )
            follow = self._follows.get(asset)
            if follow is not None and isinstance(answer, HistoryServed) and answer.candles:
                last = answer.candles[-1]
                if not last.is_closed:
                    follow.minutes.seed(last)

    # -- the fan-out's calls

    def put_joined(self, joined: Joined) -> None:
        if joined.timeframe is None:
            self._take_snapshot(joined)
        self._settle_answer((joined.asset, joined.timeframe), None)

    def put_refused(self, refused: Refused) -> None:
        said = orjson.loads(refused.payload)
        self._settle_answer((refused.asset, refused.timeframe), Refusal(said["message"]))

    def _settle_answer(self, channel: Channel, refusal: Refusal | None) -> None:
        answer = self._answers.get(channel)
        if answer is None or answer.done():
            return
        if refusal is None:
            answer.set_result(None)
        else:
            answer.set_exception(refusal)

    def _take_snapshot(self, joined: Joined) -> None:
        follow = self._follows.get(joined.asset)
        if follow is not None:
            for _, timestamp, price in orjson.loads(joined.payload)["snapshot"]:
                follow.minutes.add(_us(timestamp), float(price))

    def put_ticks(self, frame: TicksFrame | GapFrame) -> None:
        follow = self._follows.get(frame.asset)
        if follow is None:
            return
        if isinstance(frame, GapFrame):  # the minute lacks ticks that the candle cache may have
            follow.relearning = asyncio.create_task(self._learn_minute(frame.asset))
            return
        for piece in frame.pieces:
            ticks = [
                (seq, timestamp, price, follow.minutes.add(_us(timestamp), float(price)))
                for seq, timestamp, price in orjson.loads(b"[%b]" % piece.rows)
            ]
            self._fanout.conflated += max(0, len(ticks) - MOST_APIECE)
            self._say_ticks(follow, piece, ticks[-MOST_APIECE:])
        self._pay()

    def _say_ticks(self, follow: Follow, piece: TicksOut, ticks: Sequence[Tick]) -> None:
        self._say(
            follow, "updates", piece.asset, "redis_update",
            lambda name: [
                shapes.redis_update(name, seq, timestamp, price, minute)
                for seq, timestamp, price, minute in ticks
                if minute is not None  # else it is over a minute late, and no chart has room for it
            ],
        )  # fmt: skip
        self._say(
            follow, "market", piece.asset, "market_data",
            lambda name: [shapes.market_tick(name, timestamp, price, piece.source) for _, timestamp, price, _ in ticks],
        )  # fmt: skip

    def put_candle(self, candle: CandleOut, _frame: bytes) -> None:
        follow = self._follows.get(candle.asset)
        if follow is None:
            return
        said: dict[str, Any] = orjson.loads(candle.payload)
        self._say(follow, "stream", candle.asset, "candle_update", lambda name: [shapes.candle_update(name, said)])
        if said["is_closed"]:
            self._say(
                follow, "market", candle.asset, "market_data", lambda name: [shapes.market_candle(name, said)],
                about="candle",
            )  # fmt: skip
        self._pay()

    def _say(
        self, follow: Follow, kind: Kind, asset: str, event: str, build: Callable[[str], Sequence[object]],
        about: str = "tick",
    ) -> None:  # fmt: skip
        """To all who hold it in this way, in each one's spelling. A slow one gets the latest `about` of each."""
        for name in follow.names(kind):
            room = room_of(kind, asset, name)
            self._written += self._outlet.to_room(room, event, *build(name), subject=f"{about}:{room}")
        if self._written:
            self._fanout.line_up(self)

    def put(self, _frame: bytes) -> None:
        """A `status`: the only message that is for everybody."""
        self.on_status()

    def flush(self) -> int:
        """They are in their queues already; they count."""
        written, self._written = self._written, 0
        return written

    def check(self, _beat: int) -> None:
        self._fanout.conflated += self._outlet.conflated
        self._outlet.conflated = 0
        self.on_beat()

    def _pay(self) -> None:
        """See to it that what is owed to slow clients is paid, though no tick come any more."""
        if not self._settling and self._outlet.settle():
            self._settling = True
            self._fanout.loop.call_later(SETTLE_S, self._pay_again)

    def _pay_again(self) -> None:
        self._settling = False
        self._pay()


def _us(timestamp: float) -> int:
    return round(timestamp * 1e6)
