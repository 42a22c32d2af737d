"""Backups put in place of a ledger: what they do not know is never started again by itself."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fleet_tui.core.ids import Seq
from fleet_tui.core.ledger.events import Event
from fleet_tui.core.modes import EngineMode
from fleet_tui.journal.errors import (
    BackupFailed,
    JournalDamaged,
    JournalInUse,
    JournalMissing,
    JournalTooNew,
    RestoreUnfinished,
    UnsafeDirectory,
)
from fleet_tui.journal.ledger import writer as writer_module
from fleet_tui.journal.ledger.chain import Head, write_head
from fleet_tui.journal.ledger.segments import numbered_files
from fleet_tui.journal.ledger.verifying import verify
from fleet_tui.journal.upkeep.backups import back_up
from fleet_tui.journal.upkeep.restoring import UNKNOWN_EPOCHS, Restored, restore
from tests.journal.conftest import NOW_MS, Open
from tests.journal.stories import note, opening, task_story, tasks


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def waiting_task() -> Event:
    return task_story(1)[0]


async def restored(base: Path, *, source: str = "backup", aside: str = "aside") -> Restored:
    """Put a backup of a test in place of its ledger."""
    done, _ = await restore(
        base / source, base / "state", base / aside, lambda: NOW_MS, "0.1.0", 4711
    )
    return done


async def test_restoring_puts_the_old_aside_and_raises_the_epoch(
    open_writer: Open, directory: Path, tmp_path: Path
) -> None:
    writer = await open_writer()
    await writer.append([*opening(), *tasks(3)], NOW_MS)
    back_up(directory, tmp_path / "backup")
    before = contents(tmp_path / "backup")
    await writer.append(list(tasks(2, 4)), NOW_MS)
    with pytest.raises(JournalInUse, match="pid 4711"):
        await restored(tmp_path)
    await writer.close("done")
    for _ in range(3):
        await (await open_writer()).close("done")
    old_end = verify(directory).last_seq
    done = await restored(tmp_path)
    assert contents(tmp_path / "backup") == before
    assert done.old_last_seq == old_end
    assert done.is_behind
    assert verify(tmp_path / "aside").last_seq == old_end
    again = await open_writer()
    assert again.epoch == 6
    assert len(again.state.closed_tasks) == 3
    assert again.last_seq == done.copy.last_seq + 4
    assert verify(directory).intact


async def test_restoring_over_a_ledger_that_cannot_be_read_leaves_its_epochs_behind(
    open_writer: Open, directory: Path, tmp_path: Path
) -> None:
    writer = await open_writer()
    await writer.close("done")
    back_up(directory, tmp_path / "backup")
    (_, path) = numbered_files(directory, "events")[-1]
    path.write_bytes(b"")
    done = await restored(tmp_path)
    assert done.old_last_seq is None
    assert done.is_behind
    assert (await open_writer()).epoch == 3 + UNKNOWN_EPOCHS


async def test_restoring_where_there_was_nothing_freezes_and_leaves_nothing_aside(
    open_writer: Open, directory: Path, tmp_path: Path
) -> None:
    """A lost disk, a new machine: what waits in the backup may have run since."""
    writer = await open_writer()
    await writer.append([*opening(), waiting_task()], NOW_MS)
    back_up(directory, tmp_path / "backup")
    await writer.close("done")
    shutil.rmtree(directory)
    done = await restored(tmp_path)
    assert done.aside is None
    assert done.is_behind
    assert {p.name for p in tmp_path.iterdir()} == {"backup", "state"}
    again = await open_writer()
    assert again.state.engine.mode.mode is EngineMode.FROZEN
    assert len(list(again.state.waiting())) == 1
    await again.close("done")
    assert verify(directory).intact


async def test_a_backup_that_ends_where_the_ledger_does_goes_on_as_it_was(
    open_writer: Open, directory: Path, tmp_path: Path
) -> None:
    writer = await open_writer()
    await writer.append(opening(), NOW_MS)
    await writer.close("done")
    back_up(directory, tmp_path / "backup")
    done = await restored(tmp_path)
    assert not done.is_behind
    assert (await open_writer()).state.engine.mode.mode is EngineMode.NORMAL


@pytest.mark.parametrize("why", ["another story", "a head that knows more", "no head", "nonsense"])
async def test_the_same_length_alone_proves_nothing(
    open_writer: Open, directory: Path, tmp_path: Path, why: str
) -> None:
    writer = await open_writer()
    await writer.close("done")
    back_up(directory, tmp_path / "backup")
    if why == "another story":
        shutil.rmtree(directory)
        other = await open_writer()
        await other.close("another end")
    elif why == "a head that knows more":
        write_head(directory, Head(Seq(99), bytes(32)))
    elif why == "no head":
        (directory / "head").unlink()
    else:
        (directory / "head").write_text("what?")
    done = await restored(tmp_path)
    assert done.old_last_seq == done.copy.last_seq
    assert done.is_behind
    assert (await open_writer()).state.engine.mode.mode is EngineMode.FROZEN


class Killed(BaseException):
    """The process ends here: nothing after it is done, also no tidying up."""


@pytest.mark.parametrize("rename", [1, 2, 3])
async def test_a_restore_that_is_killed_never_leaves_a_ledger_that_starts_work(
    open_writer: Open,
    directory: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    rename: int,
) -> None:
    """Killed before its first rename, between the two, and right after the second."""
    writer = await open_writer()
    await writer.append([*opening(), waiting_task()], NOW_MS)
    back_up(directory, tmp_path / "backup")
    await writer.append([note("after the backup")], NOW_MS)
    await writer.close("done")
    old_end = verify(directory).last_seq
    real, calls = os.rename, [0]

    def killing(source: Path, target: Path) -> None:
        if directory in (source, target):
            calls[0] += 1
            if calls[0] == rename:
                raise Killed
        real(source, target)
        if calls[0] == rename - 1 == 2:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr("fleet_tui.journal.upkeep.restoring.os.rename", killing)
        patched.setattr("fleet_tui.journal.upkeep.restoring.shutil.rmtree", lambda _: None)
        with pytest.raises(Killed):
            await restored(tmp_path)
    if rename == 1:
        assert verify(directory).last_seq == old_end
    elif rename == 2:
        for _ in range(2):  # the try itself leaves a directory behind
            with pytest.raises(RestoreUnfinished, match="not finished") as refused:
                await open_writer()
        assert "restore` again" in refused.value.hint
        assert verify(tmp_path / "aside").last_seq == old_end
        assert (await restored(tmp_path, aside="again")).is_behind
    if rename != 1:
        again = await open_writer()
        assert again.state.engine.mode.mode is EngineMode.FROZEN
        assert len(list(again.state.waiting())) == 1


async def test_a_restore_that_cannot_take_its_place_changes_nothing(
    open_writer: Open, directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = await open_writer()
    back_up(directory, tmp_path / "backup")
    await writer.close("done")
    old_end = verify(directory).last_seq
    real = os.rename

    def refusing(source: Path, target: Path) -> None:
        if target == directory and source != tmp_path / "aside":
            raise OSError(5, "Input/output error")
        real(source, target)

    with monkeypatch.context() as patched:
        patched.setattr("fleet_tui.journal.upkeep.restoring.os.rename", refusing)
        with pytest.raises(BackupFailed, match="Input/output"):
            await restored(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"backup", "state"}
    assert verify(directory).last_seq == old_end


async def test_a_backup_that_was_changed_is_not_restored(
    open_writer: Open, directory: Path, tmp_path: Path
) -> None:
    writer = await open_writer()
    await writer.append(list(tasks(3)), NOW_MS)
    back_up(directory, tmp_path / "backup")
    await writer.close("done")
    before = contents(directory)
    (_, path) = numbered_files(tmp_path / "backup", "events")[-1]
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("DELETE FROM events WHERE seq = 9")
    with pytest.raises(JournalDamaged, match="events 9 to"):
        await restored(tmp_path)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(JournalTooNew):
        await restored(tmp_path)
    (tmp_path / "backup").chmod(0o755)
    with pytest.raises(UnsafeDirectory, match="backup cannot be trusted"):
        await restored(tmp_path)
    with pytest.raises(JournalMissing):
        await restored(tmp_path, source="nowhere")
    with pytest.raises(BackupFailed, match="from itself"):
        await restored(tmp_path, source="state")
    after = contents(directory)
    assert {n: after[n] for n in before if n != "engine.lock"} == {
        n: before[n] for n in before if n != "engine.lock"
    }
    assert not (tmp_path / "aside").exists()


async def test_a_backup_whose_head_is_gone_proves_nothing_and_is_not_restored(
    open_writer: Open, directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its head nobody can say whether its newest segment is gone too."""
    monkeypatch.setattr(writer_module, "MAX_SEGMENT_ROWS", 40)
    writer = await open_writer()
    for number in range(1, 20):
        await writer.append(list(tasks(1, number)), NOW_MS)
    back_up(directory, tmp_path / "backup")
    await writer.close("done")
    old_end = verify(directory).last_seq
    (_, newest) = numbered_files(tmp_path / "backup", "events")[-1]
    newest.unlink()
    (tmp_path / "backup" / "head").unlink()
    checked = verify(tmp_path / "backup")
    assert (checked.intact, checked.reason) == (False, "its head file is missing")
    with pytest.raises(JournalDamaged, match="head file is missing"):
        await restored(tmp_path)
    assert verify(directory).last_seq == old_end
    (directory / "head").unlink()
    with pytest.raises(JournalDamaged, match="head file is missing"):
        back_up(directory, tmp_path / "another")


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"

FOREIGN = {
    "a view without an end": (
        "ALTER TABLE events RENAME TO kept;"
        f"CREATE VIEW events AS {ENDLESS} SELECT kept.* FROM kept, n WHERE i < 0",
        "it has a view that no version of fleet-tui made",
    ),
    "a view of which it is": (
        "ALTER TABLE segment RENAME TO kept;"
        f"CREATE VIEW segment AS {ENDLESS} SELECT kept.* FROM kept, n WHERE i < 0",
        "it has a view that no version of fleet-tui made",
    ),
    "a trigger": (
        "CREATE TRIGGER sly AFTER INSERT ON events BEGIN DELETE FROM events WHERE seq < 3; END",
        "it has a trigger that no version of fleet-tui made",
    ),
    "no format": ("PRAGMA user_version = 0", "it says that it has format 0 and needs 0"),
    "a negative format": ("PRAGMA user_version = -1", "it says that it has format -1 and needs 0"),
    "a need beyond its format": ("PRAGMA application_id = 9", "has format 1 and needs 9"),
    "an epoch without a next": (f"UPDATE segment SET epoch = {2**63 - 1}", "engine 9223372036"),
    "a negative epoch": ("UPDATE segment SET epoch = -1", "it says that engine -1 owns it"),
}


@pytest.mark.parametrize("foreign", FOREIGN)
async def test_what_no_version_wrote_is_not_sound_and_not_restored(
    open_writer: Open, directory: Path, tmp_path: Path, foreign: str
) -> None:
    writer = await open_writer()
    await writer.append([*opening(), *tasks(3)], NOW_MS)
    await writer.close("done")
    back_up(directory, tmp_path / "backup")
    before = contents(directory)
    script, says = FOREIGN[foreign]
    with closing(sqlite3.connect(numbered_files(tmp_path / "backup", "events")[-1][1])) as made:
        made.executescript(script)
    checked = verify(tmp_path / "backup")
    assert not checked.intact
    assert says in checked.reason
    with pytest.raises((BackupFailed, JournalDamaged), match=says):
        await restored(tmp_path)
    after = contents(directory)
    assert {n: after[n] for n in before if n != "engine.lock"} == {
        n: before[n] for n in before if n != "engine.lock"
    }
