"""The running relay that other commands talk to: found by its data directory's run.json, or named by `--url`."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tickwire.runtime.cli.options import load_settings
from tickwire.runtime.cli.problems import USAGE, CommandFailed
from tickwire.runtime.cli.token import own_token

TIMEOUT_S = 10.0
STREAM_S = 60.0
"""Between two pieces: the relay waits out a restart of its parts."""


class Instance:
    """A relay's HTTP. Every failure is a CommandFailed that names the address."""

    def __init__(self, url: str, token: str | None = None) -> None:
        """`token`: for one that asks for it."""
        self.url = url
        self._headers = {"Authorization": f"Bearer {token}"} if token is not None else {}

    def get(self, path: str, **query: str | int) -> Any:
        """The JSON of a path; 503 answers too (`/readyz` says there what is not ready). Raises CommandFailed."""
        import httpx

        try:
            with httpx.Client(base_url=self.url, headers=self._headers, timeout=TIMEOUT_S, trust_env=False) as client:
                answer = client.get(path, params=query)
            body = answer.json()
        except httpx.HTTPError as error:
            raise CommandFailed(
                f"no answer from {self.url} ({error or type(error).__name__}); is the relay running there? see --url"
            ) from error
        except ValueError as error:
            raise CommandFailed(f"{self.url}{path} answered no JSON; is that address a relay's? see --url") from error
        told = isinstance(body, dict) and "error_code" in body
        if told or (answer.is_error and answer.status_code != 503):
            said = body.get("user_message") or body.get("error_message") if told else None
            raise CommandFailed(f"{self.url}{path}: {said or f'status {answer.status_code}'}")
        return body

    @contextmanager
    def stream(self, path: str, **query: str | int) -> Iterator[Iterator[bytes]]:
        """The pieces of a long answer. Raises CommandFailed, also in the midst where it breaks off."""
        import httpx

        try:
            with (
                httpx.Client(base_url=self.url, headers=self._headers, timeout=STREAM_S, trust_env=False) as client,
                client.stream("GET", path, params=query) as answer,
            ):
                if answer.is_error:
                    raise CommandFailed(f"{self.url}{path}: {_said(answer.read()) or f'status {answer.status_code}'}")
                yield answer.iter_bytes()
        except httpx.HTTPError as error:
            raise CommandFailed(f"{self.url}{path} broke off ({error or type(error).__name__}); ask again") from error


def _said(body: bytes) -> str | None:
    """What an error's answer says to people."""
    try:
        told = json.loads(body)
    except ValueError:
        return None
    return told.get("user_message") if isinstance(told, dict) else None


def find_instance(url: str | None, data_dir: str | None, config: Path | None) -> Instance:
    """The relay at `url`, else the one on the data directory. Raises CommandFailed where there is none."""
    if url is not None:
        if not url.startswith(("http://", "https://")):
            raise CommandFailed(f"--url {url}: write http://HOST:PORT", USAGE)
        return Instance(url.rstrip("/"), own_token(config))
    from tickwire.runtime.datadir import find_run

    folder = load_settings({"data_dir": data_dir}, config).settings.data_dir
    found = find_run(folder)
    if found is None:
        raise CommandFailed(
            f"no relay runs on the data directory {folder}; start one with tickwire run, "
            "name its directory with --data-dir or its address with --url"
        )
    return Instance(found.http, own_token(config))
