"""Run the main job as README says, headless: `make run`, read a price from its page in a browser, stop it cleanly.

    .venv/bin/python scripts/check_main_job.py

Exit code 0 if the ready line came, the page showed a price that moved, SIGTERM ended it with exit code 0, and nothing
was left listening. Needs Chromium on PATH.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
READY = re.compile(r"tickwire ready (http://127\.0\.0\.1:\d+) redis=(\S+) store=(\S+)")
READY_S = 300.0
"""`make run` may have to set everything up first."""
PAGE_S = 30.0
STOP_S = 20.0
PRICE = "#assets [data-price]"


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="tickwire-main-job-") as name:
        folder = Path(name)
        with _make_run(folder) as job:
            http, redis_port = _ready(job)
            print(f"ready at {http}")
            first, second = _prices(http)
            print(f"the page showed {first}, then {second}")
            pid = json.loads((folder / "data" / "run.json").read_text())["pid"]
            os.kill(pid, signal.SIGTERM)
            code = job.wait(STOP_S)
        _check(code == 0, f"make run ended with exit code {code}")
        for port in (int(http.rpartition(":")[2]), redis_port):
            _check(not _listens(port), f"something still listens on port {port}")
        print("stopped: exit code 0, nothing left")
    return 0


@contextmanager
def _make_run(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """`make run` in a session of its own; whatever of it is left at the end is killed."""
    arguments = f"--http 127.0.0.1:0 --data-dir {folder / 'data'} --duration 240"
    with (folder / "log").open("wb") as log:
        job = subprocess.Popen(
            ["make", "--no-print-directory", "run", f"ARGS={arguments}"],
            cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True,
        )  # fmt: skip
    alarm = threading.Timer(READY_S + 2 * PAGE_S + STOP_S, os.killpg, (job.pid, signal.SIGKILL))
    alarm.start()
    try:
        yield job
    except BaseException:
        print((folder / "log").read_text(errors="replace")[-6000:], file=sys.stderr)
        raise
    finally:
        alarm.cancel()
        if job.poll() is None:
            os.killpg(job.pid, signal.SIGKILL)
            job.wait()
        assert job.stdout is not None
        job.stdout.close()


def _ready(job: "subprocess.Popen[str]") -> tuple[str, int]:
    """The page's address and Redis' port, from the ready line; make's own lines come before it."""
    assert job.stdout is not None
    for line in job.stdout:
        found = READY.match(line)
        if found is not None:
            return found[1], int(re.findall(r":(\d+)", found[2])[-1])
    raise SystemExit(f"no ready line; make run ended with exit code {job.wait()}")


def _prices(http: str) -> tuple[str, str]:
    """A price on the page and the different one that took its place."""
    browser_path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    _check(browser_path is not None, "chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=browser_path, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        try:
            page = browser.new_page()
            page.goto(http, timeout=PAGE_S * 1000)
            page.wait_for_function(
                "selector => /\\d/.test(document.querySelector(selector)?.textContent)",
                arg=PRICE, timeout=PAGE_S * 1000,
            )  # fmt: skip
            first = page.locator(PRICE).first.inner_text()
            page.wait_for_function(
                "([selector, first]) => document.querySelector(selector).textContent.trim() !== first.trim()",
                arg=[PRICE, first], timeout=PAGE_S * 1000,
            )  # fmt: skip
            return first, page.locator(PRICE).first.inner_text()
        finally:
            browser.close()


def _listens(port: int) -> bool:
    """Whether a server still answers there after a moment's patience."""
    deadline = time.monotonic() + 5.0
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1.0).close()
        except OSError:
            return False
        time.sleep(0.05)
    return True


def _check(good: bool, complaint: str) -> None:
    if not good:
        raise SystemExit(complaint)


if __name__ == "__main__":
    sys.exit(main())
