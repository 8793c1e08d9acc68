"""Run seeds by hand: python -m simulation.run 17 [18 …]   (in tests/; a range as 1-500)."""

import sys
from collections.abc import Iterator, Sequence

from simulation.campaign import quiet, run


def seeds(words: Sequence[str]) -> Iterator[int]:
    for word in words:
        first, _, last = word.partition("-")
        yield from range(int(first), int(last or first) + 1)


def main() -> int:
    quiet()
    figures = run(seeds(sys.argv[1:]))
    for text in figures.failed.values():
        sys.stdout.write(f"{text}\n\n")
    sys.stdout.write(f"{figures}\nfailed: {list(figures.failed)}\n")
    return 1 if figures.failed else 0


if __name__ == "__main__":
    sys.exit(main())
