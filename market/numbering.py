"""(epoch, seq) of live ticks, per asset: granted by the asset's keeper, counted here, +1 a tick."""

from collections.abc import Collection, Sequence

from tickwire.market.codec import encode_ticks
from tickwire.market.intake import GoodTicks
from tickwire.messages.ticks import TickColumns


class _Asset:
    __slots__ = ("epoch", "held", "next_seq", "owner")

    def __init__(self) -> None:
        self.epoch: str | None = None
        self.next_seq = 0
        self.owner: str | None = None
        self.held: list[list[tuple[GoodTicks, int, int]]] = [[]]
        """Parted where there was a doubt: what comes behind it begins an epoch of its own."""


class Numbering:
    """Numbers and encodes one feed's ticks. Until an asset is granted its ticks are held, in order."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._assets: dict[str, _Asset] = {}
        self._to_ask: list[str] = []
        self.held_ticks = 0

    def number(self, good: GoodTicks, recv_us: int, offset_us: int) -> TickColumns | None:
        """The ticks numbered and encoded; None while they are held (or refused: see `refused`)."""
        state = self._assets.get(good.asset)
        if state is None:
            state = self._assets[good.asset] = _Asset()
            self._to_ask.append(good.asset)
        if state.epoch is None:
            if state.owner is None:
                state.held[-1].append((good, recv_us, offset_us))
                self.held_ticks += len(good.raw_us)
            return None
        return self._encode(state, good, recv_us, offset_us)

    def refused(self, asset: str) -> bool:
        """Whether another feed owns the asset."""
        state = self._assets.get(asset)
        return state is not None and state.owner is not None

    def to_ask(self) -> Sequence[str]:
        """Assets met since the last call that need a grant."""
        asked, self._to_ask = self._to_ask, []
        return asked

    def ungranted(self) -> Sequence[str]:
        """Assets asked for and not answered."""
        return [asset for asset, state in self._assets.items() if state.epoch is None and state.owner is None]

    def grant(self, asset: str, epoch: str, next_seq: int) -> Sequence[tuple[int, TickColumns]]:
        """Go on with `epoch` from `next_seq`; what was held comes out as (recv_us, columns), in order.

        Up to a doubt, if there was one meanwhile: then the asset is not `granted`, and is asked for again.
        """
        state = self._assets.get(asset)
        if state is None or state.epoch is not None:
            return ()
        state.epoch, state.next_seq, state.owner = epoch, next_seq, None
        held, *rest = state.held
        state.held = [[]]
        self.held_ticks -= sum(len(good.raw_us) for good, _, _ in held)
        numbered = [(recv_us, self._encode(state, good, recv_us, offset_us)) for good, recv_us, offset_us in held]
        if rest:
            del self._assets[asset]
        if any(rest):
            self._assets[asset] = state
            state.epoch, state.held = None, rest
            self._to_ask.append(asset)
        return numbered

    def granted(self, asset: str) -> bool:
        state = self._assets.get(asset)
        return state is not None and state.epoch is not None

    def all_granted(self) -> list[str]:
        return [asset for asset, state in self._assets.items() if state.epoch is not None]

    def refuse(self, asset: str, owner: str) -> int:
        """Another feed owns it; returns how many held ticks that concerns."""
        state = self._assets.setdefault(asset, _Asset())
        state.owner = owner
        dropped = sum(len(good.raw_us) for part in state.held for good, _, _ in part)
        state.held = [[]]
        self.held_ticks -= dropped
        return dropped

    def release(self, asset: str) -> None:
        """The other owner is down for good: ask again at the next tick."""
        if self.refused(asset):
            del self._assets[asset]

    def doubt(self, assets: Collection[str] | None) -> list[str]:
        """Ticks of these (None: of any) may be missing: what was granted is asked for again. Returns what was."""
        granted = self.all_granted()
        doubted = granted if assets is None else list(set(assets).intersection(granted))
        for asset in doubted:
            del self._assets[asset]
        for asset, state in self._assets.items():
            if state.held[-1] and (assets is None or asset in assets):
                state.held.append([])
        return doubted

    def forget_grants(self) -> None:
        """Give up every asset that was granted or refused; those that are asked for still are kept."""
        self._assets = {
            asset: state for asset, state in self._assets.items() if state.epoch is None and state.owner is None
        }

    def _encode(self, state: _Asset, good: GoodTicks, recv_us: int, offset_us: int) -> TickColumns:
        epoch, first_seq = state.epoch or "", state.next_seq
        ts_us = [us - offset_us for us in good.raw_us] if offset_us else good.raw_us
        state.next_seq = first_seq + len(ts_us)
        return TickColumns(
            asset=good.asset,
            epoch=epoch,
            first_seq=first_seq,
            offset_us=offset_us,
            ts_us=ts_us,
            stamps=good.stamps,
            prices=good.prices,
            ordinals=good.ordinals,
            trade_ids=good.trade_ids,
            encoded=encode_ticks(
                asset=good.asset,
                source=self._source,
                epoch=epoch,
                first_seq=first_seq,
                recv_us=recv_us,
                ts_us=ts_us,
                prices=good.prices,
            ),
        )
