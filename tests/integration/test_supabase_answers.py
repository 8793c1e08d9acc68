"""What a Supabase store makes of whatever HTTP may answer, through supabase-py, from a server on loopback."""

import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import orjson
import pytest
from pydantic import SecretStr
from support.tickwire_process import eventually

from tickwire.actors.ports import StoreError, StoreMisconfigured, StoreRefusedRows, StoreUnavailable
from tickwire.market.rows import Row
from tickwire.runtime.stores.limits import Limits
from tickwire.runtime.stores.supabase import SupabaseStore

pytestmark = pytest.mark.timeout(60)

CALM = Limits(call_s=30.0, hurried_s=30.0)
SHORT = Limits(call_s=0.5, hurried_s=0.5)
ROW = Row("01993a00-0000-8000-8000-000000000001", "EURUSD_otc", "1.50", 1_756_866_774_000_001, 2, "pocketoption")

Answering = Callable[["Project"], None]


class Project(BaseHTTPRequestHandler):
    """Answers by the server's `answering`; keeps what it was asked."""

    protocol_version = "HTTP/1.1"
    answering: ClassVar[Answering]
    asked: ClassVar[list[tuple[str, Mapping[str, str], Any]]]

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.asked.append((self.path, headers, orjson.loads(body) if body else None))
        answer = type(self).answering
        answer(self)

    do_GET = do_POST = handle_any

    def say(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Not into the tests' output."""


def stored(project: Project) -> None:
    project.say(201, b"", content_range="*/1")


class Cloud:
    """The server and what it was asked."""

    def __init__(self) -> None:
        class OneProject(Project):
            asked: ClassVar[list[tuple[str, Mapping[str, str], Any]]] = []
            answering: ClassVar[Answering] = stored

        self.handler = OneProject
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()
        self.stores: list[SupabaseStore] = []

    def answer(self, how: Answering) -> None:
        self.handler.answering = how

    @property
    def asked(self) -> list[tuple[str, Mapping[str, str], Any]]:
        return self.handler.asked

    def store(self, limits: Limits = CALM) -> SupabaseStore:
        url = f"http://127.0.0.1:{self.server.server_port}"
        self.stores.append(SupabaseStore(url, SecretStr("the-key"), limits=limits))
        return self.stores[-1]

    def refused(self, status: int, body: bytes, **headers: str) -> StoreError:
        self.answer(lambda project: project.say(status, body, **headers))
        with pytest.raises(StoreError) as refused:
            self.store().write([ROW])
        return refused.value

    def close(self) -> None:
        for store in self.stores:
            store.close()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    made = Cloud()
    yield made
    made.close()


def test_rows_go_out_as_an_insert_that_ignores_duplicates_with_prices_as_text(cloud: Cloud) -> None:
    cloud.answer(stored)
    assert cloud.store().write([ROW]) == 1
    ((path, headers, body),) = cloud.asked
    assert path.startswith("/rest/v1/historical_ticks?")
    assert "on_conflict=tick_uid" in path
    assert {"resolution=ignore-duplicates", "return=minimal"} <= set(headers["prefer"].split(","))
    assert (headers["apikey"], headers["authorization"]) == ("the-key", "Bearer the-key")
    assert body == [
        {
            "tick_uid": ROW.uid,
            "pair": "EURUSD_otc",
            "price": "1.50",
            "timestamp": 1_756_866_774,
            "ts_us": 1_756_866_774_000_001,
            "recv_us": 2,
            "source": "pocketoption",
        }
    ]


@pytest.mark.parametrize("status", [200, 201, 204])
def test_a_page_in_place_of_the_answer_never_counts_as_stored(cloud: Cloud, status: int) -> None:
    error = cloud.refused(status, b"" if status == 204 else b"<html>welcome to the wifi</html>")
    assert isinstance(error, StoreUnavailable)


def test_retry_after_reaches_the_writer(cloud: Cloud) -> None:
    error = cloud.refused(429, b'{"message":"slow down"}', retry_after="17")
    assert isinstance(error, StoreUnavailable)
    assert error.retry_after_s == 17.0


@pytest.mark.parametrize("status", [502, 503, 504, 520])
def test_a_gateways_own_page_is_an_outage_and_is_asked_once(cloud: Cloud, status: int) -> None:
    error = cloud.refused(status, b"<html>\n<h1>Bad gateway</h1>\n</html>", content_type="text/html")
    assert isinstance(error, StoreUnavailable)
    assert "\n" not in str(error)
    with pytest.raises(StoreUnavailable):
        cloud.store().newest_ts_us("EURUSD_otc")
    assert len(cloud.asked) == 2


@pytest.mark.parametrize("body", [b"<html>welcome to the wifi</html>", b"", b"\xff\xfe", b"{}", b"[1]", b'[{"id":1}]'])
def test_an_answer_to_a_question_that_is_no_json_is_an_outage(cloud: Cloud, body: bytes) -> None:
    kind = "application/json" if body.startswith((b"{", b"[")) else "text/html"
    cloud.answer(lambda project: project.say(200, body, content_type=kind))
    with pytest.raises(StoreUnavailable):
        cloud.store().ticks("EURUSD_otc", 0, 2**60, 10)


def test_a_body_that_is_too_large_asks_for_fewer_rows(cloud: Cloud) -> None:
    error = cloud.refused(413, b"too large")
    assert isinstance(error, StoreUnavailable)
    assert error.timed_out


def test_an_address_that_sends_elsewhere_is_misconfigured_and_the_key_is_not_sent_there(cloud: Cloud) -> None:
    error = cloud.refused(308, b"", location="http://127.0.0.1:9/elsewhere")
    assert isinstance(error, StoreMisconfigured)
    assert "URL" in str(error)


def test_an_address_without_a_rest_interface_is_misconfigured(cloud: Cloud) -> None:
    assert isinstance(cloud.refused(404, b"not here"), StoreMisconfigured)


def test_bad_data_is_known_by_its_code(cloud: Cloud) -> None:
    error = cloud.refused(400, b'{"code":"22003","message":"numeric field overflow","details":null,"hint":null}')
    assert isinstance(error, StoreRefusedRows)
    assert error.code == "22003"


def test_a_connection_that_was_cut_in_mid_answer_is_an_outage(cloud: Cloud) -> None:
    def cut(project: Project) -> None:
        project.send_response(201)
        project.send_header("content-length", "100")
        project.end_headers()
        project.close_connection = True

    cloud.answer(cut)
    with pytest.raises(StoreUnavailable):
        cloud.store().write([ROW])


def test_an_answer_that_trickles_for_ever_is_cut_at_the_limit_and_its_thread_ends(cloud: Cloud) -> None:
    over = threading.Event()

    def trickle(project: Project) -> None:
        project.send_response(200)
        project.send_header("content-length", "100000")
        project.end_headers()
        try:
            while not over.wait(0.02):
                project.wfile.write(b" ")
        except OSError:
            project.close_connection = True

    cloud.answer(trickle)
    store = cloud.store(SHORT)
    with pytest.raises(StoreUnavailable) as refused:
        store.newest_ts_us("EURUSD_otc")
    assert refused.value.timed_out
    eventually(lambda: "store-call" not in {thread.name for thread in threading.enumerate()}, "its thread has ended")
    over.set()
    cloud.answer(stored)
    assert store.write([ROW]) == 1


def test_one_connection_is_kept_for_all_calls(cloud: Cloud) -> None:
    ports: list[int] = []

    def note(project: Project) -> None:
        ports.append(project.client_address[1])
        stored(project)

    cloud.answer(note)
    store = cloud.store()
    for _ in range(3):
        store.write([ROW])
    assert len(ports) == 3
    assert len(set(ports)) == 1
