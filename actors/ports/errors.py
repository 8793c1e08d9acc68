"""What adapters raise to actors, as one tree."""


class PortError(Exception):
    """Root of what adapters raise to actors. Each says what is wrong and, where there is one, the remedy."""


class LinkDown(PortError):
    """Redis can't be used now. The link has left `up` and reconnects by itself; `detail` names the fault."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class RedisRefused(PortError):
    """Redis answered and refused; `kind` names the fault (`read-only`, `out of memory`, `no permission`, …)."""

    def __init__(self, kind: str, answer: str) -> None:
        super().__init__(f"{kind}: {answer}")
        self.kind = kind
        self.answer = answer


class OutboxMissing(PortError):
    """The outbox stream or its group is gone."""


class SpoolFailed(PortError):
    """The local disk took nothing: nothing of the call was committed, and none of it may be called accepted."""


class FeedClosed(PortError):
    """The feed's socket is at its end. `code` is the close frame's, None where it was cut."""

    def __init__(self, reason: str, code: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code


class StoreError(PortError):
    """Root of what a store raises; see the three below."""


class StoreUnavailable(StoreError):
    """Transient: try the same rows again. `retry_after_s` where the store said it; `timed_out` halves the batch."""

    def __init__(self, detail: str, *, retry_after_s: float | None = None, timed_out: bool = False) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s
        self.timed_out = timed_out


class StoreRefusedRows(StoreError):
    """At least one of the rows is bad data (`code` is the store's own); which one shows by bisection."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code


class StoreMisconfigured(StoreError):
    """Rights, table or columns are wrong: hold everything, alarm. The text names the remedy."""
