"""The table of OpenClaw releases in the README: rows that trials on real gateways gave.

``python -m tests.acceptance.releases`` measures them and writes them here.
"""

import json
import re
from pathlib import Path

ROWS = Path(__file__).resolve().parents[1] / "acceptance" / "releases.json"

Row = dict[str, str]


def recorded() -> dict[str, Row]:
    """The rows by release, as they were measured last."""
    rows: dict[str, Row] = json.loads(ROWS.read_text(encoding="utf-8"))
    return rows


def record(row: Row) -> None:
    """Keep the row of a release in place of an older one."""
    rows = recorded() | {row["release"]: row}
    ordered = {name: rows[name] for name in sorted(rows, key=newest_first)}
    ROWS.write_text(json.dumps(ordered, indent=1) + "\n", encoding="utf-8")


def difference(row: Row) -> str:
    """What the table does not say of a trial's row, and how it comes to; empty when it says all."""
    name = row["release"]
    known = recorded().get(name)
    if known == row:
        return ""
    found = f"no row for {name}" if known is None else f"{known}, and not {row}"
    again = f"python -m tests.acceptance.releases {name} && python -m tests.support.readme"
    return f"the README's table has {found}; run: {again}"


def newest_first(release: str) -> list[int]:
    """Sorts releases, newest first; ``2026.7.1-2`` mends ``2026.7.1`` and is newer."""
    return [-int(part) for part in re.split(r"[.-]", release)] + [0]


def releases_markdown() -> str:
    """The table, newest release first."""
    rows = list(recorded().values())
    columns = list(rows[0])
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    lines += [f"| {' | '.join(row[column] for column in columns)} |" for row in rows]
    return "\n".join(lines)
