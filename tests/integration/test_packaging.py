"""The package as others install it: a wheel beside a host that has folders of the same names at its top."""

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("actors", "config", "market", "messages", "runtime")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.egg-info", "*.pyc")
HOST = """
import sys
import config, messages
assert config.WHOSE == messages.WHOSE == "the host's"
import tickwire
assert tickwire.__file__.startswith(sys.argv[1]), tickwire.__file__
from tickwire import Relay, Settings, StartError
import tickwire.config.loader, tickwire.messages.ticks, tickwire.runtime.cli
relay = Relay(Settings(data_dir=sys.argv[2]))
for wrong in ("actors", "market", "runtime"):
    try:
        __import__(wrong)
    except ModuleNotFoundError:
        continue
    raise AssertionError(f"{wrong} landed at the top")
from importlib.resources import files
assert "create table" in files("tickwire.runtime.stores").joinpath("spool.sql").read_text().lower()
assert "<title>tickwire" in files("tickwire.runtime.gateway.static").joinpath("index.html").read_text()
assert sys.modules["config"].WHOSE == "the host's"
"""


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def run(*command: str, folder: Path, environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that the tree stays as it is; without the network."""
    copy = tmp_path_factory.mktemp("tree")
    for name in ROOMS:
        shutil.copytree(ROOT / name, copy / name, ignore=LEFT_OUT)
    shutil.copytree(ROOT / "src", copy / "src", ignore=LEFT_OUT)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy2(ROOT / name, copy / name)
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(copy / "dist"), ".", folder=copy)
    (built,) = (copy / "dist").glob("*.whl")
    return built


def test_the_list_of_packages_is_complete() -> None:
    mapped = project()["tool"]["setuptools"]["package-dir"]
    assert mapped == {"tickwire": "src/tickwire"} | {f"tickwire.{room}": room for room in ROOMS}

    there = {"tickwire"}
    for room in ROOMS:
        there |= {".".join(("tickwire", *file.parent.relative_to(ROOT).parts)) for file in (ROOT / room).rglob("*.py")}
    assert sorted(project()["tool"]["setuptools"]["packages"]) == sorted(there)


def test_every_package_has_an_init() -> None:
    for room in ROOMS:
        for folder in {file.parent for file in (ROOT / room).rglob("*.py")}:
            assert (folder / "__init__.py").is_file(), f"{folder.relative_to(ROOT)} has no __init__.py"


@pytest.mark.timeout(90)
def test_the_wheel_holds_every_file_and_nothing_but_tickwire(wheel: Path) -> None:
    held = {name for name in zipfile.ZipFile(wheel).namelist() if not name.endswith("/")}
    assert {name.split("/")[0] for name in held} == {
        "tickwire",
        f"tickwire-{project()['project']['version']}.dist-info",
    }

    wanted = {f"tickwire/{file.name}" for file in (ROOT / "src" / "tickwire").iterdir() if file.is_file()}
    for room in ROOMS:
        wanted |= {
            f"tickwire/{file.relative_to(ROOT).as_posix()}"
            for file in (ROOT / room).rglob("*")
            if file.is_file() and "__pycache__" not in file.parts and file.suffix != ".pyc"
        }
    assert wanted <= held, f"not in the wheel: {sorted(wanted - held)}"


@pytest.mark.timeout(90)
def test_the_wheel_lives_beside_a_hosts_own_config_and_messages(wheel: Path, tmp_path: Path) -> None:
    site, host = tmp_path / "site", tmp_path / "host"
    run(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--disable-pip-version-check",
        "--target", str(site), str(wheel), folder=tmp_path)  # fmt: skip
    for name in ("config", "messages"):
        (host / name).mkdir(parents=True)
        (host / name / "__init__.py").write_text('WHOSE = "the host\'s"\n')
    (host / "main.py").write_text(HOST)

    environment = os.environ | {"PYTHONPATH": str(site)}
    run(sys.executable, "main.py", str(site), str(tmp_path / "data"), folder=host, environment=environment)
    for name in ("config", "messages", "actors", "market", "runtime"):
        assert not (site / name).exists()
