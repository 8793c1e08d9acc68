"""The npm package of the hooks as its users have it: built, installed by name, imported by Node and by TypeScript."""

import json
import subprocess
from pathlib import Path

import pytest
from support.servers import need
from support.web_page import WEB, packages

pytestmark = pytest.mark.timeout(240)

PAGE = """
import { createElement } from "react";
import { renderToString } from "react-dom/server";
import { TickwireProvider, useTicks } from "tickwire-react";
import { TickwireClient } from "tickwire-react/core";
import { useDataStream } from "tickwire-react/quflx";

const client = new TickwireClient({ url: "http://127.0.0.1:1" });
const Page = () => createElement("p", null, `${useTicks("A").status} ${useDataStream(null).chartData.length}`);
console.log(renderToString(createElement(TickwireProvider, { client }, createElement(Page))));
"""
USER = """
import type { ReactNode } from "react";
import { type Tick, TickwireProvider, useTicks } from "tickwire-react";
import { TickwireClient } from "tickwire-react/core";
import { useCsvData } from "tickwire-react/quflx";

const client = new TickwireClient();
export function Page({ children }: { children: ReactNode }) {
  const last: Tick | undefined = useTicks("A").data.at(-1);
  const count: number = useCsvData({ selectedAsset: "A", timeframe: "1M" }).data.length;
  return <TickwireProvider client={client}>{last?.price} {count} {children}</TickwireProvider>;
}
"""
UNSOUND = 'import { useTicks } from "tickwire-react";\nexport const price: string = useTicks("A").data;\n'


def run(*command: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [need("node"), *command],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of somebody's that has installed the package."""
    modules = packages()
    folder = tmp_path_factory.mktemp("project")
    package = folder / "node_modules" / "tickwire-react"
    package.mkdir(parents=True)
    dist = package / "dist"
    for command in (
        (str(modules / "vite/bin/vite.js"), "build", "--outDir", str(dist)),
        (str(modules / "typescript/bin/tsc"), "-p", "tsconfig.build.json", "--outDir", str(dist / "types")),
    ):
        done = run(*command, cwd=WEB)
        assert done.returncode == 0, done.stdout + done.stderr
    (package / "package.json").write_bytes((WEB / "package.json").read_bytes())
    for name in ("react", "react-dom", "scheduler", "@types", "csstype"):
        (folder / "node_modules" / name).symlink_to(modules / name)
    (folder / "package.json").write_text('{"type":"module"}')
    return folder


def test_every_export_is_there_and_imported_on_a_server(project: Path) -> None:
    (project / "page.mjs").write_text(PAGE)
    done = run("page.mjs", cwd=project)
    assert (done.returncode, done.stdout) == (0, "<p>loading 0</p>\n"), done.stderr


def test_its_types_are_found_and_say_what_is_wrong(project: Path) -> None:
    options = ["--noEmit", "--strict", "--jsx", "react-jsx", "--target", "es2022", "--lib", "es2023,dom"]
    compiler = str(packages() / "typescript" / "bin" / "tsc")
    (project / "user.tsx").write_text(USER)
    (project / "unsound.ts").write_text(UNSOUND)
    for resolution in (["--module", "nodenext"], ["--module", "esnext", "--moduleResolution", "bundler"]):
        sound = run(compiler, *options, *resolution, "user.tsx", cwd=project)
        assert (sound.returncode, sound.stdout) == (0, "")
    assert "error TS2322" in run(compiler, *options, "--module", "nodenext", "unsound.ts", cwd=project).stdout


def test_it_brings_no_package_along_and_names_no_registry() -> None:
    package = json.loads((WEB / "package.json").read_text())
    lock = json.loads((WEB / "package-lock.json").read_text())
    assert "dependencies" not in package
    assert list(package["peerDependencies"]) == ["react"]
    assert package["license"] == "MIT"
    assert [name for name, entry in lock["packages"].items() if "resolved" in entry] == []
