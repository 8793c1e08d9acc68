"""Rules of safety that no single module can keep, read out of the source: SQL, Redis commands, TLS, the grammar."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tickwire.market.values import good_asset

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("messages", "market", "config", "actors", "runtime")
SQL = re.compile(
    r"\s*(?:select\s|insert\s+(?:or\s+\w+\s+)?into\s|update\s+\S+\s+set\s|delete\s+from\s|create\s+(?:unique\s+)?(?:table|index)\s"
    r"|create\s+temp|alter\s+table\s|drop\s+(?:table|index)\s|copy\s+\S+\s*(?:\(|from|to)|pragma\s|truncate\s|with\s+\w+\s+as\s)",
    re.IGNORECASE,
)
COMPOSED = {
    ("runtime/stores/sqlite.py", "TABLE"), ("runtime/stores/sqlite.py", "UID_INDEX"),
    ("runtime/stores/sqlite.py", "name"), ("runtime/stores/sqlite.py", "column"),
    ("runtime/stores/sqlite.py", "_TYPES[column]"), ("runtime/stores/sqlite.py", "int(self._wait_s * 1000)"),
    ("runtime/stores/spool.py", "sync"),
}  # fmt: skip
"""(file, expression) that may stand within SQL: names and numbers of our own, where SQL takes no placeholder."""
PATTERNS = {"keys", "scan", "scan_iter", "psubscribe"}


@cache
def sources() -> tuple[tuple[str, ast.Module], ...]:
    return tuple(
        (str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"), str(path)))
        for room in ROOMS
        for path in sorted((ROOT / room).rglob("*.py"))
    )


def composed_sql(file: str, tree: ast.AST) -> Iterator[tuple[str, int, str]]:
    """Every expression that is put into a text which reads like SQL, whichever way."""
    for node in ast.walk(tree):
        match node:
            case ast.JoinedStr(values=[ast.Constant(value=str(text)), *rest]) if SQL.match(text):
                yield from (
                    (file, node.lineno, ast.unparse(part.value))
                    for part in rest
                    if isinstance(part, ast.FormattedValue)
                )
            case ast.BinOp(left=ast.Constant(value=str(text)), op=ast.Mod() | ast.Add(), right=right) if SQL.match(
                text
            ):
                yield file, node.lineno, ast.unparse(right)
            case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(text)), attr="format" | "format_map")) if (
                SQL.match(text)
            ):
                yield file, node.lineno, ast.unparse(node)


def test_values_get_into_sql_by_placeholders_alone() -> None:
    found = [each for file, tree in sources() for each in composed_sql(file, tree)]
    strange = [(file, line, what) for file, line, what in found if (file, what) not in COMPOSED]
    assert not strange, f"write a placeholder, or argue for it in this test: {strange}"
    assert {(file, what) for file, _, what in found} == COMPOSED, "what is no longer composed is no longer allowed"


@pytest.mark.parametrize(
    "bad",
    ['f"select * from {name}"', '"delete from t where a = %s" % a', '"insert into t values (" + a + ")"',
     '"update t set a = {}".format(a)', 'f"""\n  insert or ignore into t values ({a})"""', 'f"copy t({a}) from stdin"'],
)  # fmt: skip
def test_the_rule_sees_composed_sql(bad: str) -> None:
    assert list(composed_sql("x.py", ast.parse(bad)))


def test_redis_is_never_asked_by_a_pattern() -> None:
    """KEYS stops a server, and a pattern that held a client's text would read what it may not."""
    for file, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in PATTERNS:
                of_a_mapping = node.func.attr == "keys" and not node.args and not node.keywords
                assert of_a_mapping, f"{file}:{node.lineno} calls {node.func.attr}"
            if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
                text = node.value.decode("latin-1") if isinstance(node.value, bytes) else node.value
                assert text.upper() not in ("KEYS", "SCAN", "PSUBSCRIBE") or text.islower(), f"{file}:{node.lineno}"


def test_keys_of_redis_are_built_in_one_place() -> None:
    """One function builds each key: a prefix written elsewhere would pass it by."""
    prefix = re.compile(r"(?:ticks|updates|historical|tickwire:(?:epoch|outbox|acked)):")
    for file, tree in sources():
        if file in ("market/keys.py", "runtime/cli/bench/baseline.py"):  # the latter is the plain relay to compare with
            continue
        docs = {
            id(node.value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
                assert not prefix.match(node.value), f"{file}:{node.lineno} writes {node.value!r}"


def test_nobody_turns_off_the_checks_of_tls() -> None:
    for file, tree in sources():
        for node in ast.walk(tree):
            name = node.attr if isinstance(node, ast.Attribute) else node.arg if isinstance(node, ast.keyword) else ""
            assert name not in ("CERT_NONE", "CERT_OPTIONAL", "_create_unverified_context"), f"{file}: {name}"
            if isinstance(node, ast.keyword) and isinstance(node.value, ast.Constant):
                off = node.arg in ("verify", "check_hostname", "ssl_check_hostname") and node.value.value is False
                assert not off, f"{file}:{node.value.lineno} turns {node.arg} off"


def test_nothing_is_unpickled_evaluated_or_handed_to_a_shell() -> None:
    for file, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {alias.name for alias in node.names} | {getattr(node, "module", None)}
                assert not names & {"pickle", "marshal", "shelve", "dill"}, f"{file}:{node.lineno}"
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in ("eval", "exec", "os.system", "os.popen"), f"{file}:{node.lineno} calls {called}"
                shells = [each for each in node.keywords if each.arg == "shell"]
                assert not shells, f"{file}:{node.lineno} asks for a shell"


@pytest.mark.parametrize(
    "bad",
    ["", "A" * 21, "A B", "A*", "ticks:A", "A\n", "\nA", "A\x00", "Ä", "ＡB", "A?", "[A]", "{A}", "A'", 'A"', "A;B",
     "A\\", "A%", "A,B", "A(1)", "١", "A\u2028", "A\u202e"],
)  # fmt: skip
def test_an_asset_is_plain(bad: str) -> None:
    assert not good_asset(bad)


@pytest.mark.parametrize("good", ["A", "EURUSD_otc", "#AAPL_otc", "XBT/USD", "A.B-C_9", "A" * 20])
def test_an_assets_usual_spellings_are_good(good: str) -> None:
    assert good_asset(good)
