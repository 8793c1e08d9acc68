"""`tickwire record`: a feed's frames into a file that `replay:` plays again."""

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Annotated

import typer

from tickwire.runtime.cli import options
from tickwire.runtime.cli.problems import CommandFailed
from tickwire.runtime.cli.signals import StopRequest, stop_on_signals

if TYPE_CHECKING:
    from tickwire.config.settings import Settings

POLL_S = 0.1


def record(
    url: Annotated[str, typer.Argument(metavar="URL", help="A feed's URL, as for run --feed.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="*.frames.jsonl, or with .gz")],
    duration: options.Duration = None,
    log_format: options.LogFormat = None,
    config: options.Config = None,
) -> None:
    """Write down what a feed sends, verbatim and without logins, until its end, Ctrl-C or --duration."""
    limit_s = options.seconds(duration)
    flags = {"feeds": [url], "log_format": log_format}
    settings = options.load_settings(flags, config, feeds_from="argument URL").settings
    from tickwire.runtime.feeds.recordings import FeedError
    from tickwire.runtime.logs import configure_logs

    configure_logs(style=settings.log_format, level=settings.log_level, secrets=settings.secrets)
    with stop_on_signals() as stop:
        try:
            frames = _record(settings, output, stop, limit_s)
        except FeedError as error:
            raise CommandFailed(str(error)) from error
        except OSError as error:
            raise CommandFailed(f"{output}: {error.strerror or error}; what was written until then is whole") from error
    print(f"{frames} frames in {output}")
    raise typer.Exit(stop.exit_code)


def _record(settings: "Settings", output: Path, stop: StopRequest, limit_s: float) -> int:
    from tickwire.market.backoff import Backoff
    from tickwire.runtime.clock import SystemClock
    from tickwire.runtime.feeds.feed import open_feed
    from tickwire.runtime.feeds.recorder import FrameFile, Recorder, check_recordable

    clock = SystemClock()
    secret = settings.pocketoption_session
    feed = open_feed(
        settings.parsed_feeds[0],
        clock=clock,
        session=secret.get_secret_value() if secret is not None else None,
        connect_timeout_s=settings.feed.connect_timeout_s,
    )
    check_recordable(feed)
    backoff = Backoff(min_s=settings.feed.backoff_min_s, max_s=settings.feed.backoff_max_s, random=Random())
    stopped = threading.Event()
    file = FrameFile(output, settings.secrets)
    try:
        feed.start()
        recorder = Recorder(feed, file, clock=clock, backoff=backoff, stopped=stopped)
        with ThreadPoolExecutor(1, thread_name_prefix="recorder") as threads:
            work = threads.submit(recorder.run)
            feed.ready()
            _wait(work, stop, time.monotonic() + limit_s)
            stopped.set()
            work.result()
    finally:
        feed.stop()
        file.close()
    return file.frames


def _wait(work: "Future[None]", stop: StopRequest, deadline: float) -> None:
    while not (work.done() or stop or time.monotonic() >= deadline):
        with suppress(TimeoutError):
            work.exception(timeout=POLL_S)
