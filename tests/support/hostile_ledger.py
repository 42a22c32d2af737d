"""A ledger in which whatever is text tries to steer the terminal, and every command that shows it.

``python -m tests.support.hostile_ledger DIRECTORY`` makes it there, runs the commands in this very
process, without the belt that a terminal gets, and ends by printing DONE.
"""

import asyncio
import sys
from pathlib import Path

from fleet_tui.base.bundled import sample_fleet
from fleet_tui.base.paths import fleet_dir
from fleet_tui.cli.main import run
from fleet_tui.config.load import load_fleet
from fleet_tui.journal.ledger.reader import JournalReader
from fleet_tui.journal.ledger.writer import JournalWriter
from fleet_tui.journal.telemetry.logs import LogWriter
from fleet_tui.sim.demo.history import make_history
from tests.support import hostile, payloads
from tests.support.hostile import poisoned

NAME = "hostile"
STORABLE = tuple(each for each in payloads.ALL if each.encode(errors="ignore").decode() == each)
"""A ledger holds no half surrogates."""

NOW_MS = 1_770_000_000_000


async def write(directory: Path, now_ms: int = NOW_MS) -> None:
    """The demo's past until a moment, poisoned."""
    fleet = load_fleet(sample_fleet("demo"), {}).spec
    history = make_history(fleet, seed=3, until_ms=now_ms, minutes=3, per_minute=30)
    writer = await JournalWriter.open(directory, lambda: now_ms - 200_000, "0.1.0", 4711)
    for at_ms, events in history.batches:
        await writer.append([poisoned(event) for event in events], at_ms)
    await writer.close(payloads.ESCAPES[0])
    lines = await LogWriter.open(directory)
    lines.write([poisoned(line) for line in history.lines])
    await lines.close()


def commands(directory: Path, file: Path, base: Path) -> list[list[str]]:
    """Everything that shows what is in a ledger or in a file."""
    reader = JournalReader(directory)
    state = reader.load()
    reader.close()
    tasks = [t.label for t in (*state.open_tasks.values(), *state.ended_tasks())]
    here = ["-f", NAME]
    both = [["status"], ["agents"], ["tasks"], ["routes"], ["logs", "--limit", "500"]]
    return [
        *([*words, *here] for words in both),
        *([*words, *here, "--json"] for words in both),
        *(["why", label, *here] for label in tasks[:: max(1, len(tasks) // 12)]),
        ["why", payloads.ESCAPES[0], *here],
        ["verify", *here],
        ["export", *here, "-o", str(base / "x.fleetrec")],
        ["check", str(file)],
        ["check", str(file), "--json"],
        ["import", str(file)],
        ["submit", "x", *here],
        ["cancel", payloads.ESCAPES[2], *here],
        ["cordon", payloads.ESCAPES[3], *here],
        *([each, *here] for each in payloads.ALL if "\0" not in each and each),
        *(["status", f"--{each}"] for each in payloads.ALL if "\0" not in each),
        *(["status", "-f", each] for each in payloads.ALL if "\0" not in each),
        *(["review", each] for each in payloads.ALL if "\0" not in each),
    ]


def bad_fleet(file: Path) -> None:
    """A fleet file that is wrong wherever a payload can stand."""
    lines = ["version: 1", f"fleet: {payloads.MARKUP[3]}", "agents:"]
    for number, each in enumerate(payloads.ALL):
        shown = each.encode("unicode_escape").decode().replace('"', '\\"').replace("'", "")
        lines.append(f'  a{number}: {{kind: local, command: [cat], pool: "{shown}", "{shown}": 1}}')
    file.write_text("\n".join(lines))


def main() -> None:
    """Make it and show it."""
    base = Path(sys.argv[1])
    directory = fleet_dir(NAME)
    hostile.PAYLOADS = STORABLE
    asyncio.run(write(directory))
    file = base / "fleet.yaml"
    bad_fleet(file)
    codes = []
    for words in commands(directory, file, base):
        codes.append(run(words))
    print("CODES", *sorted(set(codes)), "DONE")


if __name__ == "__main__":
    main()
