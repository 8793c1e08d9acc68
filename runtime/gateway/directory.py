"""Which known asset a client's spelling means. In the event loop."""

from tickwire.market.spelling import Spellings
from tickwire.messages.clients import AssetsAnswered, AssetsRequested
from tickwire.runtime.gateway.services import Services, ask, expect

FRESH_S = 1.0


class Directory:
    """Asks Gateway for its assets at most once a second."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._spellings = Spellings(())
        self._until = float("-inf")

    async def resolve(self, name: str) -> str:
        """The asset as the broker spells it. Raises UnknownAsset, AmbiguousAsset, Unanswered."""
        if name in self._spellings:
            return name
        now = self._services.clock.monotonic()
        if now >= self._until:
            answer = await ask(
                self._services.gateway, "gateway", lambda to: AssetsRequested(announced=True, reply_to=to)
            )
            self._spellings = Spellings(each.asset for each in expect(answer, AssetsAnswered).assets)
            self._until = now + FRESH_S
        return self._spellings.resolve(name)
