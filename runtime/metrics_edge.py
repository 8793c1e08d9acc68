"""Metrics of what CacheManager and Gateway tell, and every actor of its links."""

from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from tickwire.messages.lifecycle import LinkChanged, LinkState
from tickwire.messages.telemetry import ClientsMeasured, HistoryMeasured, TicksLeftOut

LINK_STATES: tuple[str, ...] = get_args(LinkState)
ANSWER_S = (
    0.00005,
    0.0001,
    0.00025,
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
)
"""A question about the past: out of memory in less than 0.1 ms, out of the store in up to 8 s."""


class EdgeMetrics:
    """What CacheManager and Gateway tell, and every actor of its links."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"tickwire_{name}", text, labels, registry=registry)

        self._answers = counter("history_answers", "Questions for candles answered.", "outcome")
        self._waits = counter("history_waits", "Questions that a read answered which was under way already.")
        self._history_seconds = Histogram(
            "tickwire_history_seconds", "One answer (to all who asked meanwhile).", ["outcome"],
            buckets=ANSWER_S, registry=registry,
        )  # fmt: skip
        self._left_out = counter("candle_ticks_left_out", "Stored ticks that no candle shows.", "reason")
        self._clients = Gauge("tickwire_gateway_clients", "Clients connected.", registry=registry)
        self._frames = counter("gateway_frames_sent", "Frames sent to clients.")
        self._conflated = counter("gateway_ticks_conflated", "Ticks that slow clients got as a summary.")
        self._refused = counter("gateway_refused", "Connections and messages of clients that were refused.")
        self._link_state = Gauge(
            "tickwire_link_state", "1 for the state the actor's connection is in.", ["owner", "link", "state"],
            registry=registry,
        )  # fmt: skip
        self._degraded = counter("link_degraded", "Times the connection ceased to be of use.", "owner", "link")
        self._links: dict[tuple[str, str], LinkState] = {}

    def history(self, message: HistoryMeasured) -> None:
        self._answers.labels(message.outcome).inc(message.waiters)
        self._waits.inc(message.waiters - 1)
        self._history_seconds.labels(message.outcome).observe(message.seconds)

    def left_out(self, message: TicksLeftOut) -> None:
        self._left_out.labels("late").inc(message.late)
        self._left_out.labels("ahead").inc(message.ahead)

    def clients(self, message: ClientsMeasured) -> None:
        self._clients.set(message.clients)
        self._frames.inc(message.frames_sent)
        self._conflated.inc(message.ticks_conflated)
        self._refused.inc(message.refused)

    def link(self, message: LinkChanged) -> None:
        for state in LINK_STATES:
            self._link_state.labels(message.owner, message.link, state).set(state == message.state)
        place = (message.owner, message.link)
        newly = message.state == "degraded" and self._links.get(place) != "degraded"
        self._degraded.labels(*place).inc(newly)
        self._links[place] = message.state
