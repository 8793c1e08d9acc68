"""The rules of the tree that no single module can keep: which room may import which, and what stays out of modules."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = {
    "messages": {"messages"},
    "market": {"messages", "market"},
    "config": {"market", "config"},
    "actors": {"messages", "market", "config", "actors"},
    "runtime": {"messages", "market", "config", "actors", "runtime"},
}
"""Room → those it may import."""
BEYOND_THE_LIBRARY = {
    "messages": set[str](),
    "market": {"orjson"},
    "config": {"pydantic"},
    "actors": {"orjson", "pykka", "structlog"},
}
"""What a room may import that is neither tickwire's nor the standard library's."""
OUTSIDE_WORLD = {
    "asyncio", "http", "logging", "multiprocessing", "pathlib", "select", "selectors", "shutil", "signal", "socket",
    "sqlite3", "ssl", "subprocess", "tempfile", "threading", "time", "urllib",
}  # fmt: skip
"""Modules by which pure code would stop being pure."""
SEEN_BY_ADAPTERS = ("tickwire.actors.ports", "tickwire.actors.kernel")
STATEFUL = {
    "Condition", "Counter", "Event", "Lock", "Queue", "RLock", "Semaphore", "SimpleQueue", "Thread", "count",
    "defaultdict", "deque", "local",
}  # fmt: skip


def modules(room: str) -> list[Path]:
    found = sorted((ROOT / room).rglob("*.py"))
    assert found, f"{room} holds no modules; is this the whole repository?"
    return found


def tree(module: Path) -> ast.Module:
    return ast.parse(module.read_text(encoding="utf-8"), str(module))


def imports(module: Path) -> Iterator[str]:
    """Every module imported anywhere in it, functions and TYPE_CHECKING included."""
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno} imports relatively"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def dotted(module: Path) -> str:
    parts = module.relative_to(ROOT).with_suffix("").parts
    return ".".join(("tickwire", *(parts[:-1] if parts[-1] == "__init__" else parts)))


def actors() -> set[str]:
    """The modules that define an actor: a class with the three methods that the kernel calls."""
    return {
        dotted(module)
        for module in (ROOT / "actors").glob("*.py")
        for node in tree(module).body
        if isinstance(node, ast.ClassDef)
        and {"open", "step", "close"} <= {part.name for part in node.body if isinstance(part, ast.FunctionDef)}
        and not any(isinstance(base, ast.Name) and base.id == "Protocol" for base in node.bases)
    }


@pytest.mark.parametrize("room", ROOMS)
def test_imports_point_one_way(room: str) -> None:
    for module in modules(room):
        for name in imports(module):
            if name.startswith("tickwire."):
                assert name.split(".")[1] in ROOMS[room], f"{module.relative_to(ROOT)} imports {name}"


@pytest.mark.parametrize("room", BEYOND_THE_LIBRARY)
def test_rooms_without_adapters_know_few_libraries(room: str) -> None:
    for module in modules(room):
        for name in imports(module):
            top = name.split(".")[0]
            known = top in sys.stdlib_module_names or top in BEYOND_THE_LIBRARY[room] or top == "tickwire"
            assert known, f"{module.relative_to(ROOT)} imports {name}"


@pytest.mark.parametrize("room", ["messages", "market"])
def test_pure_rooms_touch_nothing_outside(room: str) -> None:
    for module in modules(room):
        touched = {name.split(".")[0] for name in imports(module)} & OUTSIDE_WORLD
        assert not touched, f"{module.relative_to(ROOT)} imports {', '.join(sorted(touched))}"


def test_no_actor_imports_another() -> None:
    every = actors()
    assert len(every) >= 5
    for module in modules("actors"):
        others = (set(imports(module)) & every) - {dotted(module)}
        assert not others, f"{module.relative_to(ROOT)} imports {', '.join(sorted(others))}"


def test_the_kernel_knows_nothing_of_ticks() -> None:
    for module in modules("actors/kernel"):
        for name in imports(module):
            inside = not name.startswith("tickwire") or name.startswith("tickwire.actors.kernel")
            assert inside, f"{module.relative_to(ROOT)} imports {name}"
            assert name.split(".")[0] != "orjson", f"{module.relative_to(ROOT)} imports orjson"


def test_only_the_composition_root_knows_the_actors() -> None:
    for module in modules("runtime"):
        if module == ROOT / "runtime" / "app.py":
            continue
        for name in imports(module):
            if name.startswith("tickwire.actors."):
                assert name.startswith(SEEN_BY_ADAPTERS), f"{module.relative_to(ROOT)} imports {name}"


@pytest.mark.parametrize("room", [room for room in ROOMS if room != "config"])
def test_the_environment_is_read_in_config_alone(room: str) -> None:
    for module in modules(room):
        for node in ast.walk(tree(module)):
            name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
            assert name not in ("environ", "environb", "getenv"), f"{module.relative_to(ROOT)} reads the environment"


@pytest.mark.parametrize("room", ROOMS)
def test_no_module_holds_state(room: str) -> None:
    """Two relays in one process share modules: what a module holds must never change."""
    for module in modules(room):
        whole = tree(module)
        rebound = [node for node in ast.walk(whole) if isinstance(node, ast.Global)]
        assert not rebound, f"{module.relative_to(ROOT)} rebinds {rebound[0].names} with `global`"
        for node in whole.body:
            value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
            if isinstance(value, ast.Call):
                called = value.func.attr if isinstance(value.func, ast.Attribute) else ast.unparse(value.func)
                assert called not in STATEFUL, f"{module.relative_to(ROOT)}:{node.lineno} holds a {called}"
