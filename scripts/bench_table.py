"""Write the table of `tickwire bench` into README.md.

.venv/bin/tickwire bench --json | python scripts/bench_table.py
"""

import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

README = Path(__file__).resolve().parent.parent / "README.md"
BEGIN, END = "<!-- bench: begin (python scripts/bench_table.py) -->", "<!-- bench: end -->"


def table(measured: dict[str, Any]) -> str:
    rows = ["| load | relay | ticks/s | median age | 99 % | worst |", "|---|---|---:|---:|---:|---:|"]
    for line in measured["lines"]:
        ages = " | ".join(_age(line[name]) for name in ("p50_ms", "p99_ms", "max_ms"))
        rows.append(f"| {line['what']} | {line['relay']} | {line['per_second']:,.0f} | {ages} |")
    runs = measured["lines"][0]["runs"]
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    rows += ["", f"Medians of {runs} runs on {machine}; every guarantee on."]
    return "\n".join(rows)


def _age(milliseconds: float | None) -> str:
    return "" if milliseconds is None else f"{milliseconds:,.2f} ms"


def main() -> None:
    measured = json.load(sys.stdin)
    text = README.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    README.write_text(f"{before}{BEGIN}\n\n{table(measured)}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
