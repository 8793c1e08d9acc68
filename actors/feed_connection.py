"""The life of a feed's connection: dialled, opened, subscribed, lost, and dialled again for ever. TickIngestor's."""

from collections.abc import Callable, Sequence

import structlog

from tickwire.actors.feed_session import FeedSession
from tickwire.actors.ports import Dialled, FeedClosed, FeedDialler, FeedProfile
from tickwire.market.backoff import Backoff
from tickwire.market.wire import AnswersAboutThePast, Decoder, Send

_log = structlog.get_logger("tickwire.feed_connection")

MINUTE_S = 60
MOST_SPAN_S = 9000
"""A venue is asked for so much at once, the newest."""
NORMAL_CLOSE = 1000
ENDED = "ended"
"""A replay's last word."""


class FeedConnection:
    """Not thread-safe. What it raises is FeedClosed: its owner then calls `drop`."""

    def __init__(
        self,
        profile: FeedProfile,
        dialler: FeedDialler | None,
        make_decoder: Callable[[], Decoder],
        backoff: Backoff,
    ) -> None:
        self.session: FeedSession | None = None
        self._profile = profile
        self._dialler = dialler
        self._make_decoder = make_decoder
        self._backoff = backoff
        self._wanted = dict.fromkeys(profile.assets)
        self._attempt = 0
        self._redial_at: float | None = None
        self._stopped = False
        self._frames_of_old = 0
        self._reconnects = 0

    def dial(self, tell: Callable[[object], object]) -> None:
        """Start an attempt, whose outcome is told: Dialled or DialFailed."""
        if self._dialler is not None and not self._stopped:
            self._attempt += 1
            self._redial_at = None
            self._dialler.dial(self._attempt, tell)

    def is_current(self, attempt: int) -> bool:
        return attempt == self._attempt and not self._stopped

    def take(self, dialled: Dialled, now: float) -> None:
        """The attempt succeeded: greet the venue, unless it is an older attempt's late success."""
        if not self.is_current(dialled.attempt) or self.session is not None:
            dialled.socket.close()
            return
        self.session = FeedSession(
            dialled.socket, self._make_decoder(), now, arrivals_from_pings=self._profile.arrivals_from_pings
        )
        _log.info("feed_connected", feed=self._profile.name)
        self.session.greet()

    def opened(self, session: FeedSession) -> None:
        """The venue lets us in: say what is wanted."""
        session.opened = True
        for asset in self._wanted:
            session.answer(session.decoder.subscribe(asset))

    def subscribe(self, asset: str) -> None:
        self._wanted[asset] = None
        self._say(lambda session: session.decoder.subscribe(asset))

    def unsubscribe(self, asset: str) -> None:
        self._wanted.pop(asset, None)
        self._say(lambda session: session.decoder.unsubscribe(asset))

    def ask_candles(self, asset: str, from_s: int, until_s: int) -> None:
        """Ask for the venue's own candles of this time (of its clock), a minute each, where it has a word for that."""
        before_s = -(-until_s // MINUTE_S) * MINUTE_S
        span_s = min(before_s - from_s // MINUTE_S * MINUTE_S, MOST_SPAN_S)

        def ask(session: FeedSession) -> Sequence[Send]:
            decoder = session.decoder
            if not isinstance(decoder, AnswersAboutThePast):
                return ()
            return decoder.older_candles(asset, index=before_s, before_s=before_s, span_s=span_s, period_s=MINUTE_S)

        self._say(ask)

    def _say(self, sends: Callable[[FeedSession], Sequence[Send]]) -> None:
        if self.session is not None and self.session.opened:  # else it is said when the session opens
            self.session.send(sends(self.session))

    def beat(self, now: float, *, paused: bool) -> bool:
        """Send what is due and judge the venue's silence. True where it is time to dial again."""
        if self.session is not None:
            self.session.beat(now, paused=paused)
        elif self._redial_at is not None and now >= self._redial_at:
            self._reconnects += 1
            return True
        return False

    def drop(self, error: FeedClosed) -> bool:
        """The connection is over. True where it ended as a recording does, for good."""
        self._release()
        return error.code == NORMAL_CLOSE and error.reason == ENDED and not self._profile.reconnects_after_end

    def retry(self, reason: str, now: float) -> None:
        """Dial again after a pause, longer each time until `works`."""
        pause_s = self._backoff.next_s()
        if not self._stopped:
            self._redial_at = now + pause_s
        _log.warning("feed_lost", feed=self._profile.name, reason=reason, retry_in_s=round(pause_s, 2))

    def works(self) -> None:
        self._backoff.reset()

    def stop(self) -> None:
        """Read no more, dial no more; idempotent."""
        self._stopped = True
        self._redial_at = None
        self._release()

    def _release(self) -> None:
        if self.session is not None:
            self._frames_of_old += self.session.frames
            self.session.close()
            self.session = None

    def take_frames(self) -> int:
        """Frames since the last call."""
        frames, self._frames_of_old = self._frames_of_old, 0
        if self.session is not None:
            frames += self.session.frames
            self.session.frames = 0
        return frames

    def take_reconnects(self) -> int:
        """Attempts after a loss since the last call."""
        reconnects, self._reconnects = self._reconnects, 0
        return reconnects
