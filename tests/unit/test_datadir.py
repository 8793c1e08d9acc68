"""The data directory: made, locked, named once, and told of in run.json."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tickwire.runtime.datadir import DataDir, DataDirError, RunInfo, find_run

pytestmark = pytest.mark.timeout(30)

RUN = RunInfo(pid=os.getpid(), http="http://127.0.0.1:3001", redis="redis://127.0.0.1:1/0", store="sqlite:ticks.db")

HOLDER = """
import sys
from pathlib import Path
from tickwire.runtime.datadir import DataDir, RunInfo

data_dir = DataDir(Path(sys.argv[1]))
data_dir.open()
data_dir.write_run(RunInfo(pid=4711, http="h", redis="r", store="s"))
sys.stdout.write("held\\n")
sys.stdout.flush()
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "data"


def test_a_missing_directory_is_made(path: Path) -> None:
    with DataDir(path):
        assert path.is_dir()


def test_the_producer_id_is_made_once(path: Path) -> None:
    with DataDir(path) as first:
        producer = first.producer
    with DataDir(path) as second:
        assert second.producer == producer
    assert producer.isalnum()


def test_two_directories_have_two_producer_ids(tmp_path: Path) -> None:
    with DataDir(tmp_path / "a") as one, DataDir(tmp_path / "b") as other:
        assert one.producer != other.producer


@pytest.mark.parametrize("damage", [b"", b"\xff\xfe", b"two words"])
def test_a_damaged_producer_file_is_an_error_with_its_remedy(path: Path, damage: bytes) -> None:
    path.mkdir(parents=True)
    (path / "producer").write_bytes(damage)
    with pytest.raises(DataDirError, match=r"producer file holds no id; remove the file"):
        DataDir(path).open()
    (path / "producer").unlink()
    DataDir(path).open()


def test_a_second_run_is_told_who_holds_it(path: Path) -> None:
    with DataDir(path) as first:
        first.write_run(RUN)
        with pytest.raises(DataDirError, match=rf"{path}: process {os.getpid()} runs on it; .* --data-dir"):
            DataDir(path).open(wait_s=0.0)


def test_a_second_run_waits_for_the_first_to_end(path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(DataDirError, match="process 4711"):
            DataDir(path).open(wait_s=0.0)
        assert find_run(path) == RunInfo(pid=4711, http="h", redis="r", store="s")
        holder.kill()
        with DataDir(path) as second:
            assert second.producer
            # What the killed run said of itself is no longer true.
            assert not (path / "run.json").exists()


def test_the_run_is_told_of_until_it_ends(path: Path) -> None:
    with DataDir(path) as data_dir:
        assert find_run(path) is None
        data_dir.write_run(RUN)
        assert find_run(path) == RUN
        assert json.loads((path / "run.json").read_text()) == {
            "pid": os.getpid(),
            "http": "http://127.0.0.1:3001",
            "redis": "redis://127.0.0.1:1/0",
            "store": "sqlite:ticks.db",
        }
    assert not (path / "run.json").exists()
    assert find_run(path) is None


def test_a_run_json_that_was_left_behind_counts_as_no_run(path: Path) -> None:
    with DataDir(path) as data_dir:
        data_dir.write_run(RUN)
        left = (path / "run.json").read_bytes()
    (path / "run.json").write_bytes(left)
    assert find_run(path) is None


def test_looking_for_a_run_makes_nothing(path: Path) -> None:
    assert find_run(path) is None
    assert not path.exists()


def test_closing_again_is_no_harm(path: Path) -> None:
    data_dir = DataDir(path)
    data_dir.open()
    data_dir.close()
    data_dir.close()
    with DataDir(path):
        data_dir.close()
        with pytest.raises(DataDirError):
            DataDir(path).open(wait_s=0.0)


@pytest.mark.parametrize("below", [".", "below"])
def test_a_file_in_its_place_is_an_error_with_its_remedy(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataDirError, match=r"there is a file in its way; name another with --data-dir"):
        DataDir(tmp_path / "file" / below).open()


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs /proc, where even root can't write")
@pytest.mark.parametrize("place", ["/proc/self", "/proc/self/new"])
def test_an_unwritable_place_is_an_error_with_its_remedy(place: str) -> None:
    with pytest.raises(DataDirError, match=rf"{place}: .*; make it writable for this user, or name another"):
        DataDir(Path(place)).open()
