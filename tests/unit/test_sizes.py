"""Small modules, small classes, small functions: what is over the limit has its reason here."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("messages", "market", "config", "actors", "runtime", "src", "benchmarks", "scripts")
MODULE_LINES = 300
CLASS_LINES = 300
FUNCTION_LINES = 40

LONG_MODULES = {
    "actors/buffer_keeper.py": "spool, Redis and drains of one actor, in one order; forwarding and grants are parted",
    "runtime/app.py": "the composition root: one method an actor, no decision in it",
}
LONG_FUNCTIONS = {
    "runtime/gateway/routes_market.py:market_routes": "a list of routes, each a few lines",
    "runtime/gateway/routes_system.py:system_routes": "likewise",
}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def modules() -> Iterator[tuple[str, str]]:
    """(path from the root, source) of each module of ours."""
    for room in ROOMS:
        found = sorted((ROOT / room).rglob("*.py"))
        assert found, f"{room} holds no modules; is this the whole repository?"
        for path in found:
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


def lines_of(node: Function | ast.ClassDef) -> int:
    assert node.end_lineno is not None
    return node.end_lineno - node.lineno + 1


def long_nodes(kind: type[ast.AST] | tuple[type[ast.AST], ...], limit: int) -> set[str]:
    return {
        f"{name}:{node.name}"
        for name, source in modules()
        for node in ast.walk(ast.parse(source, name))
        if isinstance(node, kind)
        and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and lines_of(node) > limit
    }


def test_modules_are_short_or_have_a_reason() -> None:
    assert {name for name, source in modules() if len(source.splitlines()) > MODULE_LINES} == set(LONG_MODULES)


def test_classes_are_short() -> None:
    assert long_nodes(ast.ClassDef, CLASS_LINES) == set()


def test_functions_are_short_or_have_a_reason() -> None:
    assert long_nodes((ast.FunctionDef, ast.AsyncFunctionDef), FUNCTION_LINES) == set(LONG_FUNCTIONS)
