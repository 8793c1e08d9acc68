"""What a Socket.IO client that does not keep up gets, and what it costs the others: nothing."""

import asyncio

import pytest
import socketio

from tickwire.runtime.gateway.quflx.outlet import NAMESPACE, SLOW_BEATS, Outlet
from tickwire.runtime.gateway.quflx.send_queue import BEHIND_PACKETS, MOST_BYTES, SendQueue

pytestmark = pytest.mark.timeout(20)


class Engine:
    """One Engine.IO socket: only its queue."""

    def __init__(self) -> None:
        self.closed = self.closing = self.upgraded = self.upgrading = False
        self.queue = SendQueue()

    def take_all(self) -> list[str]:
        taken = []
        while not self.queue.empty():
            taken.append(self.queue.get_nowait().data)
            self.queue.task_done()
        return taken

    def listen(self) -> list[bytes]:
        """By a WebSocket from now on; what is written to it."""
        written: list[bytes] = []

        def write(frames: bytes) -> bool:
            written.append(frames)
            return True

        self.upgraded, self.queue.write = True, write
        return written


class Stage:
    def __init__(self) -> None:
        self.server = socketio.AsyncServer(async_mode="asgi")
        self.dropped: list[tuple[str, str]] = []
        self.outlet = Outlet(self.server, self._drop)

    async def _drop(self, sid: str, why: str) -> None:
        self.dropped.append((sid, why))

    async def client(self, name: str) -> Engine:
        engine = Engine()
        self.server.eio.sockets[name] = engine
        sid = await self.server.manager.pre_connect(name, NAMESPACE)
        await self.server.manager.connect(sid, NAMESPACE)
        await self.server.enter_room(sid, "room")
        return engine

    def say(self, number: int, subject: str | None = "a") -> int:
        return self.outlet.to_room("room", "redis_update", number, subject=subject)


def test_a_packet_is_encoded_once_for_all() -> None:
    async def play() -> None:
        stage = Stage()
        one, two = await stage.client("one"), await stage.client("two")
        assert stage.say(7) == 2
        assert one.queue.get_nowait() is two.queue.get_nowait()

    asyncio.run(play())


def test_a_slow_client_gets_the_latest_of_each_subject_once_it_can_and_others_get_all() -> None:
    async def play() -> None:
        stage = Stage()
        slow, quick = await stage.client("slow"), await stage.client("quick")
        heard: list[str] = []
        for number in range(200):
            stage.say(number)
            heard += quick.take_all()
        stage.outlet.to_room("room", "redis_update", 999, subject="b")
        assert len(heard) == 200
        assert slow.queue.qsize() == BEHIND_PACKETS
        assert stage.outlet.conflated == 200 - BEHIND_PACKETS + 1
        assert stage.outlet.settle(), "nothing is paid while it takes nothing"
        before = slow.take_all()
        assert before[-1].endswith(f",{BEHIND_PACKETS - 1}]")
        assert not stage.outlet.settle()
        assert [each.rpartition(",")[2] for each in slow.take_all()] == ["199]", "999]"]

    asyncio.run(play())


def test_what_is_owed_comes_before_what_is_newer() -> None:
    async def play() -> None:
        stage = Stage()
        slow = await stage.client("slow")
        for number in range(BEHIND_PACKETS + 5):
            stage.say(number)
        slow.take_all()
        stage.say(500)
        assert slow.queue.empty(), "the newer one took the place of the owed one"
        stage.outlet.settle()
        assert [each.rpartition(",")[2] for each in slow.take_all()] == ["500]"]

    asyncio.run(play())


def test_a_websocket_with_nothing_before_it_gets_the_same_ready_frames_as_all_others() -> None:
    async def play() -> None:
        stage = Stage()
        one, two, polling = await stage.client("one"), await stage.client("two"), await stage.client("polling")
        written = [one.listen(), two.listen()]
        assert stage.outlet.to_room("room", "redis_update", 7, 8, subject="a") == 6
        expected = b'\x81\x1442["redis_update",7]\x81\x1442["redis_update",8]'
        assert written == [[expected], [expected]]
        assert written[0][0] is written[1][0]
        assert polling.take_all() == ['2["redis_update",7]', '2["redis_update",8]']

    asyncio.run(play())


def test_nothing_is_written_past_what_waits_or_is_on_its_way() -> None:
    async def play() -> None:
        stage = Stage()
        client = await stage.client("client")
        written = client.listen()
        stage.outlet.to_room("room", "redis_subscribed", "a")
        stage.say(1)
        assert client.queue.get_nowait().data == '2["redis_subscribed","a"]'
        assert client.queue.get_nowait().data == '2["redis_update",1]'
        client.queue.task_done()
        stage.say(2)  # the writer has taken the one before it, and not written it yet
        assert written == []
        assert client.take_all() == ['2["redis_update",2]']
        client.queue.task_done()
        stage.say(3)
        assert written == [b'\x81\x1442["redis_update",3]']

    asyncio.run(play())


def test_what_is_owed_is_not_overtaken_by_ready_frames() -> None:
    async def play() -> None:
        stage = Stage()
        client = await stage.client("client")
        for number in range(BEHIND_PACKETS + 5):
            stage.say(number)
        written = client.listen()
        client.take_all()
        stage.say(500)
        stage.outlet.settle()
        assert (written, [each.rpartition(",")[2] for each in client.take_all()]) == ([], ["500]"])

    asyncio.run(play())


@pytest.mark.parametrize("state", [{"upgraded": False}, {"upgraded": True, "upgrading": True}])
def test_before_an_upgrade_is_done_packets_are_for_polling(state: dict[str, bool]) -> None:
    async def play() -> None:
        stage = Stage()
        client = await stage.client("client")
        written = client.listen()
        for name, value in state.items():
            setattr(client, name, value)
        stage.say(1)
        assert (written, client.take_all()) == ([], ['2["redis_update",1]'])

    asyncio.run(play())


def test_what_may_hold_a_secret_goes_by_the_edge() -> None:
    async def play() -> None:
        stage = Stage()
        client = await stage.client("client")
        written = client.listen()
        stage.outlet.to_room("room", "system_status", {"details": "of an error"})
        assert (written, client.queue.qsize()) == ([], 1)

    asyncio.run(play())


def test_a_client_that_takes_nothing_is_sent_away_and_its_queue_is_bounded() -> None:
    async def play() -> None:
        stage = Stage()
        stalled, quick = await stage.client("stalled"), await stage.client("quick")
        answer = "x" * 40_000
        for _ in range(100):
            stage.outlet.to_room("room", "cached_historical_data", answer)
            quick.take_all()
        assert MOST_BYTES - 2 * len(answer) < stalled.queue.held <= MOST_BYTES
        await stage.outlet.check()
        assert stage.dropped == [("stalled", "too slow for what it is subscribed to")]

    asyncio.run(play())


def test_few_but_large_packets_make_a_client_slow_too() -> None:
    async def play() -> None:
        stage = Stage()
        slow = await stage.client("slow")
        stage.outlet.to_room("room", "cached_historical_data", "x" * 100_000)
        assert stage.say(1) == 0, "the tick is owed, not queued"
        slow.take_all()
        assert not stage.outlet.settle()
        assert slow.take_all() == ['2["redis_update",1]']

    asyncio.run(play())


def test_a_cleared_queue_takes_the_goodbye_and_the_end() -> None:
    async def play() -> None:
        stage = Stage()
        full = await stage.client("full")
        for _ in range(100):
            stage.outlet.to_room("room", "cached_historical_data", "x" * 40_000)
        full.queue.put_nowait(None)  # the end is taken whatever waits
        full.queue.clear()
        assert (full.queue.held, full.queue.overflowed) == (0, False)
        stage.say(1)
        assert full.take_all() == ['2["redis_update",1]']

    asyncio.run(play())


def test_a_client_that_never_catches_up_is_sent_away() -> None:
    async def play() -> None:
        stage = Stage()
        await stage.client("behind")
        for number in range(BEHIND_PACKETS + 1):
            stage.say(number)
        for _ in range(SLOW_BEATS):
            await stage.outlet.check()
        assert not stage.dropped
        await stage.outlet.check()
        assert len(stage.dropped) == 1

    asyncio.run(play())
