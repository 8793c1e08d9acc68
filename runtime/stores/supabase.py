"""The store in a Supabase project, through supabase-py: PostgREST over HTTPS.

What supabase-py needs to be told or told around: a time-out as an `httpx.Timeout` in an own client (it cuts a number to
whole seconds); no retries of its own, which sleep; HTTP status and Retry-After through a hook (its errors carry
neither); prices as text (it takes no Decimal, and JSON's numbers are floats).
"""

import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
from pydantic import SecretStr

from tickwire.actors.ports import StoreMisconfigured, StoreRefusedRows, StoreUnavailable
from tickwire.market.candle_rows import CandleRow
from tickwire.market.rows import Row
from tickwire.messages.candles import Candle
from tickwire.runtime.stores.answers import Answer, judge
from tickwire.runtime.stores.candle_table import candle_json, fit, stored_candle, within_time
from tickwire.runtime.stores.limits import CallTimedOut, Limits, within
from tickwire.runtime.stores.prices import plain
from tickwire.runtime.stores.table import (
    BAD_VALUE,
    OWN_COLUMNS,
    QUFLX_COLUMNS,
    SECOND_US,
    TABLE,
    WRITTEN,
    first_fault,
    values,
)
from tickwire.runtime.stores.verdicts import one_line

if TYPE_CHECKING:
    from postgrest import SyncQueryRequestBuilder, SyncRequestBuilder
    from supabase import Client

T = TypeVar("T")
Found = Mapping[str, Any]

PAGE_ROWS = 1000
"""Rows asked for at once: Supabase gives no more, whatever is asked for."""


class SupabaseStore:
    """`actors.ports.Store` in a project. `key`: the service-role key, or one of a role that policies let write."""

    slice_rows = 500
    batch_rows = 2000

    def __init__(self, url: str, key: SecretStr, *, limits: Limits | None = None) -> None:
        self._url = url
        self._key = key
        self._limits = limits or Limits()
        self._wait_s = self._limits.call_s
        self._session: SupabaseSession | None = None

    def open(self) -> None:
        columns = ",".join((*QUFLX_COLUMNS, *OWN_COLUMNS))
        self._call(lambda session: session.rows(session.table().select(columns).limit(1)))

    def write(self, rows: Sequence[Row]) -> int:
        rejected = first_fault(rows)
        if rejected is not None:
            raise StoreRefusedRows(BAD_VALUE, rejected)
        return self._upsert([dict(zip(WRITTEN, values(row), strict=True)) for row in rows]) if rows else 0

    def check_key(self) -> None:
        """Whether rows could be written, without writing any: sends one without a pair, which no table takes.

        Raises StoreMisconfigured where rights or the unique index lack, which is found out before the row is looked at.
        """
        unwritable: dict[str, object] = dict(zip(WRITTEN, values(_NOBODYS), strict=True)) | {"pair": None}
        with suppress(StoreRefusedRows):
            self._upsert([unwritable])

    def ticks(self, pair: str, from_us: int, to_us: int, limit: int) -> Sequence[tuple[int, str]]:
        found = self._call(lambda session: self._pages(session, pair, from_us, to_us, limit))
        return [(ts_us, price) for ts_us, _, price in sorted(found)[-limit:]] if limit > 0 else []

    def newest_ts_us(self, pair: str) -> int | None:
        def newest(session: "SupabaseSession") -> list[Found]:
            query = session.table().select("ts_us,timestamp").eq("pair", pair).order("timestamp", desc=True)
            return session.rows(query.order("ts_us", desc=True, nullsfirst=False).limit(1))

        found = self._call(newest)
        return _stamp(found[0]) if found else None

    def write_candles(self, rows: Sequence[CandleRow]) -> int:
        kept = fit(rows)
        return self._keep(kept) if kept else 0

    def check_candles(self) -> None:
        """Whether candles could be written: none is. Raises StoreError."""
        self._keep(())

    def candles(self, asset: str, timeframe: str, from_ts: int, until_ts: int, limit: int) -> Sequence[Candle]:
        since, until = within_time(from_ts, until_ts)
        asked = {"of_asset": asset, "of_timeframe": timeframe, "from_s": since, "until_s": until, "most": limit}

        def read(session: "SupabaseSession") -> list[Candle]:
            return [stored_candle(row, timeframe) for row in session.function("tickwire_candles", asked)]

        return self._call(read)

    def hurry(self, hurried: bool) -> None:
        self._wait_s = self._limits.hurried_s if hurried else self._limits.call_s

    def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()

    # -- calls

    def _upsert(self, rows: list[dict[str, Any]]) -> int:
        from postgrest.types import CountMethod, ReturnMethod

        def upsert(session: "SupabaseSession") -> int:
            answer = (
                session.table()
                .upsert(
                    rows,
                    on_conflict="tick_uid",
                    ignore_duplicates=True,
                    returning=ReturnMethod.minimal,
                    count=CountMethod.exact,
                )
                .execute()
            )
            # Its count is what tells PostgREST's answer from a page that a proxy put in its place, with status 200.
            if answer.count is None:
                raise ValueError("it counts no rows")
            return answer.count

        return self._call(upsert)

    def _keep(self, rows: Sequence[CandleRow]) -> int:
        asked = {"candle_rows": candle_json(rows)}
        return self._call(lambda session: int(session.function("tickwire_write_candles", asked)))

    def _pages(
        self, session: "SupabaseSession", pair: str, from_us: int, to_us: int, limit: int
    ) -> set[tuple[int, int, str]]:
        """(ts_us, id, price) page by page, newest first: rows that come in between shift pages, none is missed."""
        first_s, end_s = -(-from_us // SECOND_US), -(-to_us // SECOND_US)
        exact = f"and(ts_us.gte.{from_us},ts_us.lt.{to_us})"
        whole = f"and(ts_us.is.null,timestamp.gte.{first_s},timestamp.lt.{end_s})"  # old writers' rows
        found: set[tuple[int, int, str]] = set()
        seen = 0
        while seen < limit:
            query = session.table().select("id,ts_us,timestamp,price::text").eq("pair", pair)
            query = query.gte("timestamp", from_us // SECOND_US).lte("timestamp", to_us // SECOND_US)
            query = query.or_(f"{exact},{whole}").order("timestamp", desc=True)
            query = query.order("ts_us", desc=True, nullsfirst=False).order("id", desc=True)
            page = session.rows(query.range(seen, seen + min(PAGE_ROWS, limit - seen) - 1))
            if not page:
                break
            found |= {(_stamp(row), int(row["id"]), plain(row["price"])) for row in page}
            seen += len(page)
        return found

    def _call(self, work: Callable[["SupabaseSession"], T]) -> T:
        """One call within its limit. Whatever goes wrong comes out as a StoreError."""
        from postgrest.exceptions import APIError

        session = self._session = self._session or SupabaseSession(self._url, self._key, self._limits.call_s)
        try:
            return within(self._wait_s, lambda: session.run(work), shut=session.shut)
        except CallTimedOut as error:
            self._session = None  # its thread closes it, when it gets that far
            raise StoreUnavailable(f"the store gave {error}", timed_out=True) from error
        except APIError as error:
            raise judge(session.answer, error.code, error.message, error.details) from error
        except httpx.TimeoutException as error:
            raise StoreUnavailable(f"the store did not answer ({type(error).__name__})", timed_out=True) from error
        except httpx.InvalidURL as error:
            raise StoreMisconfigured(f"{one_line(str(error))}; check the store's URL") from error
        except httpx.HTTPError as error:
            raise StoreUnavailable(one_line(str(error)) or type(error).__name__) from error
        except (ValueError, LookupError, TypeError) as error:  # not PostgREST's: a gateway's own page, or worse
            raise StoreUnavailable(f"the store's answer can't be read ({one_line(str(error))[:200]})") from error


class SupabaseSession:
    """One client on one connection. Once shut it serves nobody."""

    def __init__(self, url: str, key: SecretStr, timeout_s: float) -> None:
        self._url = url
        self._key = key
        self._http = httpx.Client(
            timeout=httpx.Timeout(timeout_s),
            limits=httpx.Limits(max_connections=1, keepalive_expiry=120.0),
            event_hooks={"request": [self._trace], "response": [self._note]},
            follow_redirects=False,
            trust_env=False,
        )
        self._client: Client | None = None
        self._socket: socket.socket | None = None
        self._shut = False
        self.answer = Answer()
        """What HTTP said to the last request."""

    def table(self) -> "SyncRequestBuilder":
        return self.client().table(TABLE)

    def client(self) -> "Client":
        if self._client is None:
            self._client = self._connected()
        return self._client

    def rows(self, query: "SyncQueryRequestBuilder") -> list[Found]:
        """A question's rows. Raises ValueError where the answer is not PostgREST's.

        supabase-py hands over as text what is no JSON, and takes an empty page for no rows.
        """
        data: object = query.execute().data
        if not self.answer.json or not isinstance(data, list) or not all(isinstance(row, dict) for row in data):
            raise ValueError("it holds no rows")
        return data

    def function(self, name: str, arguments: dict[str, Any]) -> Any:
        """What a function of the database's answers. Raises ValueError where the answer is not PostgREST's."""
        data: Any = self.client().rpc(name, arguments).execute().data
        if not self.answer.json:
            raise ValueError("it is no JSON")
        return data

    def run(self, work: Callable[["SupabaseSession"], T]) -> T:
        """In the call's own thread."""
        self.answer = Answer()
        try:
            return work(self)
        finally:
            if self._shut:
                self.close()

    def shut(self) -> None:
        """Beside a call that has hung: frees its thread, which then closes."""
        self._shut = True
        its_socket = self._socket
        if its_socket is not None:
            with suppress(OSError):
                its_socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._http.close()

    def _connected(self) -> "Client":
        from supabase import ClientOptions, create_client

        options = ClientOptions(
            httpx_client=self._http, auto_refresh_token=False, persist_session=False, postgrest_client_retry=False
        )
        return create_client(self._url, self._key.get_secret_value(), options)

    def _trace(self, request: httpx.Request) -> None:
        request.extensions["trace"] = self._connecting

    def _connecting(self, event: str, info: Mapping[str, Any]) -> None:
        """Keep the socket of a connection just made: there is no other way to shut it from beside."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._socket = info["return_value"].get_extra_info("socket")

    def _note(self, response: httpx.Response) -> None:
        headers = response.headers
        self.answer = Answer(
            status=response.status_code,
            retry_after=headers.get("retry-after"),
            json="json" in headers.get("content-type", ""),
        )


_NOBODYS = Row(uid="00000000-0000-8000-8000-000000000000", pair="", price="1", ts_us=0, recv_us=0, source="")


def _stamp(row: Found) -> int:
    ts_us = row["ts_us"]
    return int(ts_us) if ts_us is not None else int(row["timestamp"]) * SECOND_US
