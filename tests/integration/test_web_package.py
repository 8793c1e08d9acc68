"""The npm package of `web/` as its users get it: built, found by its name, with its types, in plain Node."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from support.recordings import missing
from support.servers import need
from support.web_page import WEB

pytestmark = pytest.mark.timeout(240)

RENDER = """
import { createElement } from "react";
import { renderToString } from "react-dom/server";
import * as all from "tickwire-react";
import * as core from "tickwire-react/core";
import * as quflx from "tickwire-react/quflx";

const Price = () => createElement("p", null, all.useLastTick("EURUSD_otc").status);
const page = createElement(all.TickwireProvider, { url: "http://127.0.0.1:3001" }, createElement(Price));
console.log(JSON.stringify([renderToString(page), Object.keys(all), Object.keys(core), Object.keys(quflx)]));
"""
HOOKS = {
    "useTicks", "useLastTick", "useCandles", "useHistory", "useFeedStatus", "useRelayStatus", "useMetrics", "useAssets",
    "useActors", "useAudit", "useDataStream", "useCsvData",
}  # fmt: skip


def run(*command: str, folder: Path) -> str:
    done = subprocess.run(
        command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what is published and the packages that it needs; files in it find the package by its name."""
    node, tools = need("node"), WEB / "node_modules"
    if not (tools / "vite").is_dir():
        missing("the packages of web are not installed; run npm ci there")
    folder = tmp_path_factory.mktemp("package")
    (folder / "node_modules").symlink_to(tools)
    shutil.copy(WEB / "package.json", folder)
    dist = str(folder / "dist")
    run(node, str(tools / "vite/bin/vite.js"), "build", "--outDir", dist, "--emptyOutDir", folder=WEB)
    types = ("-p", "tsconfig.build.json", "--outDir", f"{dist}/types")
    run(node, str(tools / "typescript/bin/tsc"), *types, folder=WEB)
    return folder


def test_node_finds_every_entry_and_renders_hooks_where_there_is_no_browser(package: Path) -> None:
    (package / "render.mjs").write_text(RENDER, encoding="utf-8")
    page, everything, core, quflx = json.loads(run(need("node"), "render.mjs", folder=package))
    assert page == "<p>loading</p>"
    assert set(everything) >= HOOKS
    assert "TickwireClient" in core
    assert not HOOKS & set(core)
    assert set(quflx) == {"useDataStream", "useCsvData"}


def test_the_readmes_examples_are_right_by_the_published_types(package: Path) -> None:
    shutil.copytree(WEB / "examples", package / "examples", dirs_exist_ok=True)
    examples = sorted(f"examples/{path.name}" for path in (package / "examples").iterdir())
    for module, resolution in (("nodenext", "nodenext"), ("esnext", "bundler")):
        ways = ("--module", module, "--moduleResolution", resolution, "--target", "es2022", "--jsx", "react-jsx")
        tsc = ("node_modules/typescript/bin/tsc", "--noEmit", "--strict", "--types", "react")
        run(need("node"), *tsc, *ways, *examples, folder=package)


def test_the_core_needs_no_react(package: Path) -> None:
    core = (package / "dist" / "core.js").read_text(encoding="utf-8")
    chunks = {line.split('"')[1] for line in core.splitlines() if line.startswith(("import", "export")) and '"' in line}
    assert chunks
    for chunk in chunks:
        assert 'from "react' not in (package / "dist" / chunk).read_text(encoding="utf-8")


def test_servers_with_components_of_their_own_are_told_which_are_the_browsers(package: Path) -> None:
    for entry, told in (("index", True), ("quflx", True), ("core", False)):
        text = (package / "dist" / f"{entry}.js").read_text(encoding="utf-8")
        assert text.startswith('"use client";') is told


def test_what_is_published_is_the_build_the_readme_and_the_licence(package: Path) -> None:
    for name in ("README.md", "LICENSE"):
        shutil.copy(WEB / name, package)
    (answer,) = json.loads(run(need("npm"), "pack", "--dry-run", "--json", folder=package))
    paths = {file["path"] for file in answer["files"]}
    assert {"README.md", "LICENSE", "package.json", "dist/index.js", "dist/types/index.d.ts"} <= paths
    assert {path.split("/")[0] for path in paths} == {"README.md", "LICENSE", "package.json", "dist"}


def test_it_brings_no_package_along_and_its_lock_names_no_registry() -> None:
    manifest = json.loads((WEB / "package.json").read_text(encoding="utf-8"))
    lock = json.loads((WEB / "package-lock.json").read_text(encoding="utf-8"))
    assert "dependencies" not in manifest
    assert list(manifest["peerDependencies"]) == ["react"]
    assert [name for name, entry in lock["packages"].items() if "resolved" in entry] == []
