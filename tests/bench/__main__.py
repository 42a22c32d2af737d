"""``python -m tests.bench [--only NAME]... [--json FILE]``: measure, print, keep.

Targets that are missed are shown, not failed: a figure belongs to the machine it was taken on.
"""

import argparse
import os
import platform
import sys
from pathlib import Path

import msgspec

from tests.bench.catalogue import BENCHMARKS
from tests.bench.frame import Row, Unavailable, table
from tests.support import surroundings

SCHEMA = "fleet-tui.bench/1"


class Measured(msgspec.Struct, kw_only=True):
    """The document of ``--json``."""

    schema: str = SCHEMA
    python: str
    machine: str
    cores: int
    rows: dict[str, list[dict[str, object]]]
    skipped: dict[str, str]


def main(arguments: list[str]) -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=list(BENCHMARKS), metavar="NAME")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--list", action="store_true", help="print the names and end")
    options = parser.parse_args(arguments)
    if options.list:
        print("\n".join(BENCHMARKS))
        return 0
    measured = measure(options.only or list(BENCHMARKS))
    if options.json:
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(measured)) + b"\n")
    return 0


def measure(names: list[str]) -> Measured:
    """Run benchmarks one after the other, printing as they end."""
    kept: dict[str, list[dict[str, object]]] = {}
    skipped: dict[str, str] = {}
    for name in names:
        print(f"\n{name}", flush=True)
        try:
            rows = list(BENCHMARKS[name]())
        except Unavailable as why:
            skipped[name] = str(why)
            print(f"  skipped: {why}")
            continue
        kept[name] = [as_document(row) for row in rows]
        print("\n".join(f"  {line}" for line in table(rows)), flush=True)
    return Measured(
        python=platform.python_version(),
        machine=f"{platform.system()} {platform.machine()}",
        cores=os.cpu_count() or 1,
        rows=kept,
        skipped=skipped,
    )


def as_document(row: Row) -> dict[str, object]:
    """A row with what follows from it."""
    document: dict[str, object] = msgspec.to_builtins(row)
    return document | {"ratio": row.ratio, "met": row.is_met}


def main_in_empty_surroundings() -> int:
    """Measure the program, not this account's settings."""
    directory = surroundings.isolate()
    try:
        return main(sys.argv[1:])
    finally:
        surroundings.remove(directory)


if __name__ == "__main__":
    sys.exit(main_in_empty_surroundings())
