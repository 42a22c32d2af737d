"""A journal whose process is killed, or whose disk refuses, at a system call: nothing that was
acknowledged is lost, nothing is half there, and the next engine goes on.

``JOURNAL_SYSCALLS=all`` tries every single call of every scenario (some 200 runs for the kills,
each of which strikes all scenarios); otherwise a spread of them.
"""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path

import pytest

from fleet_tui.core.ids import NOWHERE
from fleet_tui.core.notes.events import NoteAdded
from fleet_tui.journal.directory import Home
from fleet_tui.journal.errors import JournalUnfinished
from fleet_tui.journal.ledger.opening import take
from fleet_tui.journal.ledger.reader import JournalReader
from fleet_tui.journal.ledger.segments import numbered_files
from fleet_tui.journal.ledger.verifying import verify
from tests.journal.scenario import NOW_MS, SCENARIOS, knowing_the_next_format
from tests.support.needs import missing

ROOT = Path(__file__).parents[2]
CALLS = ("pwrite64", "fdatasync", "fsync", "rename", "link", "unlink", "ftruncate", "fallocate")
POINTS = 5
"""Of each call, in the short form."""
EVERYTHING = os.environ.get("JOURNAL_SYSCALLS") == "all"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_800)]


def run(base: Path, *options: str) -> "subprocess.CompletedProcess[bytes]":
    """The scenarios under strace, below a new directory."""
    shutil.rmtree(base, ignore_errors=True)
    base.mkdir(mode=0o700, parents=True)
    trace = f"trace={','.join(CALLS)}"
    program = (sys.executable, "-m", "tests.journal.scenario", str(base / "run"))
    (base / "run").mkdir(mode=0o700)
    return subprocess.run(
        ["strace", "-f", "-o", base / "trace", "-e", trace, *options, *program],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """How often a scenario makes each call, at the most; measured without any harm."""
    if shutil.which("strace") is None:
        missing("no strace on PATH")
    base = tmp_path_factory.mktemp("calls") / "sound"
    done = run(base)
    said = done.stdout.decode()
    if done.returncode:
        missing(f"strace cannot trace here: {done.stderr.decode()[-200:]}")
    assert said.split("\n")[:-1] == [f"{name} ended 0" for name in SCENARIOS]
    made = Counter(re.findall(r"^(\d+) +(\w+)\(", (base / "trace").read_text(), re.MULTILINE))
    most = {call: max((n for (_, c), n in made.items() if c == call), default=0) for call in CALLS}
    assert min(most[call] for call in ("pwrite64", "fdatasync", "fsync", "rename", "unlink")) > 2
    return most


def chosen(count: int) -> list[int]:
    if EVERYTHING or count <= POINTS:
        return list(range(1, count + 1))
    return sorted({1 + place * (count - 1) // (POINTS - 1) for place in range(POINTS)})


def check(base: Path) -> None:
    """What must hold whatever happened."""
    with knowing_the_next_format():
        for name in SCENARIOS:
            check_one(base / "run" / name, name)


def check_one(directory: Path, name: str) -> None:
    for kind in ("backup", "before-format-2"):
        backup = directory.with_name(f"{name}.{kind}")
        if backup.exists():
            assert verify(backup).intact, f"{name}: a bad backup"
    acked = directory.with_name(f"{name}.acked")
    told = acked.read_text().split() if acked.exists() else []
    if told or numbered_files(directory, "events"):
        with suppress(JournalUnfinished):  # the next engine takes it back
            checked = verify(directory)
            assert checked.intact, f"{name}: {checked.reason}"
    taken = take(Home(directory), lambda: NOW_MS, 1)
    taken.lock.release()
    assert taken.epoch >= 1
    kept = notes(directory)
    assert kept[: len(told)] == told, f"{name}: {len(told)} acknowledged, {len(kept)} kept"
    assert len(kept) - len(told) in (0, 1, 3, 20), f"{name}: half a transaction is there"
    assert verify(directory).intact


def notes(directory: Path) -> list[str]:
    with closing(JournalReader(directory)) as reader:
        events = [recorded.event for recorded in reader.read(NOWHERE, 1_000)]
    return [event.text.raw for event in events if isinstance(event, NoteAdded)]


@pytest.mark.parametrize("call", CALLS)
def test_a_kill_at_a_call_loses_nothing(call: str, points: dict[str, int], tmp_path: Path) -> None:
    for when in chosen(points[call]):
        done = run(tmp_path / "x", "-e", f"inject={call}:signal=KILL:when={when}")
        assert b"ended -9" in done.stdout, (call, when)
        check(tmp_path / "x")


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("pwrite64", "EIO"),
        ("pwrite64", "ENOSPC"),
        ("fdatasync", "EIO"),
        ("fsync", "EIO"),
        ("rename", "EIO"),
        ("link", "ENOSPC"),
        ("fallocate", "ENOSPC"),
        ("unlink", "EIO"),
        ("pwrite64", "EROFS"),
        ("pwrite64", "EDQUOT"),
        ("fdatasync", "ENOSPC"),
        ("rename", "EACCES"),
        ("fsync", "EINTR"),
    ],
)
def test_a_refused_call_is_told_and_loses_nothing(
    call: str, error: str, points: dict[str, int], tmp_path: Path
) -> None:
    for when in chosen(points[call]):
        done = run(tmp_path / "x", "-e", f"inject={call}:error={error}:when={when}")
        said = done.stdout.decode()
        assert "ended -" not in said, (call, when, said)
        raised = set(re.findall(r" raised (\w+):", said))
        told = {"OperationalError", "OSError", "BackupFailed", "JournalDamaged", "DatabaseError"}
        told |= {"CommitInDoubt", "JournalFailed", "PermissionError", "InterruptedError"}
        # A step of a migration whose rollback journal would not go away: the next engine undoes it.
        undone = "migrating raised JournalUnfinished" in said
        assert raised <= told | ({"JournalUnfinished"} if undone else set()), (call, when, said)
        check(tmp_path / "x")
