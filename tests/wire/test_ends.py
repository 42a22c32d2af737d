"""How programs end, and what they can do to the record of it: nothing. Through every shell."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from fleet_tui.core.ids import Epoch, RunId
from fleet_tui.core.tasks.evidence import (
    Definite,
    Died,
    Finished,
    Running,
    Started,
    Stopped,
    Unknown,
)
from fleet_tui.wire.port import KeptRuns
from fleet_tui.wire.programs import wrapper
from fleet_tui.wire.programs.local import LocalShell
from fleet_tui.wire.programs.wrapper import Program, RunDirectory, RunWrapper
from tests.support.needs import missing
from tests.support.programs import finished, order, until
from tests.support.wrapped import MakePort, make_port, run_directory, sh

__all__ = ["make_port", "sh"]


async def ended(make_port: MakePort, *command: str) -> Finished:
    port = make_port(*command)
    started = await port.start(order())
    assert isinstance(started, Definite), started
    assert isinstance(started.value, Started), started
    return await finished(port, order())


ENDS = {
    "exit 1": "exit-1",
    "exit 125": "exit-125",
    "exit 128": "exit-128",
    "exit 130": "exit-130",
    "exit 137": "exit-137",
    "exit 143": "exit-143",
    "exit 192": "exit-192",
    "exit 200": "exit-200",
    "exit 255": "exit-255",
    "kill -TERM $$": "signal-15",
    "kill -HUP $$": "signal-1",
    "kill -INT $$": "signal-2",
    "exec perl -e 'kill QUIT => $$; sleep 9'": "signal-3",
    "kill -ALRM $$": "signal-14",
    "kill -KILL $$": "signal-9",
    "kill -PIPE $$": "signal-13",
    "kill -USR1 $$": "signal-10",
    "kill -64 $$": "signal-64",
}


@pytest.mark.usefixtures("sh")
@pytest.mark.parametrize("script", ENDS)
async def test_an_exit_status_and_a_signal_are_told_apart(make_port: MakePort, script: str) -> None:
    if shutil.which("perl") is None:
        missing("no perl on PATH")
    found = await ended(make_port, "sh", "-c", script)
    assert (found.ok, found.failure) == (False, ENDS[script])


def without(tmp_path: Path, *names: str) -> str:
    """A PATH with everything but some programs."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for directory in os.environ["PATH"].split(os.pathsep):
        for program in Path(directory).glob("*"):
            if program.name not in names and not (tools / program.name).exists():
                (tools / program.name).symlink_to(program)
    return str(tools)


@pytest.mark.parametrize(
    ("script", "word"),
    [
        ("exit 0", ""),
        ("exit 200", "exit-200"),
        ("exit 255", "exit-255"),
        ("kill -TERM $$", "signal-15"),
        ("kill -64 $$", "signal-64"),
    ],
)
async def test_a_host_without_perl_calls_a_signal_only_what_can_be_one(
    make_port: MakePort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, word: str
) -> None:
    monkeypatch.setenv("PATH", without(tmp_path, "perl"))
    found = await ended(make_port, "sh", "-c", script)
    assert (found.ok, found.failure) == (not word, word)


@pytest.mark.parametrize("broken", ["exit 2", "kill -KILL $$", "echo Warning >&2; exit 29"])
async def test_a_perl_that_does_not_work_keeps_no_program_from_running(
    make_port: MakePort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    tools = Path(without(tmp_path, "perl"))
    (tools / "perl").write_text(f"#!/bin/sh\n{broken}\n")
    (tools / "perl").chmod(0o755)
    monkeypatch.setenv("PATH", str(tools))
    book = tmp_path / "book"
    found = await ended(make_port, "sh", "-c", f"echo ran >> {book}; exit 255")
    assert found.failure == "exit-255"
    assert book.read_text() == "ran\n"


SIGNALS_ITS_GROUP = """#!/bin/sh
[ ! -e rc.new ] || for signal in HUP INT USR1 TERM; do kill -$signal 0; done
exec {} "$@"
"""
"""A tool that is caught by what goes to its group, once the end of a run is written down."""


@pytest.mark.usefixtures("sh")
@pytest.mark.parametrize("tool", ["date", "ls", "sha256sum", "head"])
async def test_a_signal_while_the_end_is_written_down_costs_no_word_of_it(
    make_port: MakePort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tool: str
) -> None:
    real = shutil.which(tool)
    tools = tmp_path / "signalled"
    tools.mkdir()
    (tools / tool).write_text(SIGNALS_ITS_GROUP.format(real))
    (tools / tool).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    found = await ended(make_port, "sh", "-c", "echo out; exit 7")
    assert (found.failure, found.answer.text.raw, found.answer.lost) == ("exit-7", "out\n", False)
    words = (run_directory(tmp_path) / "rc").read_text().split()
    assert len(words) == 6
    assert "-" not in words


RECORDS = {
    "143  4 SUM signal 720": ("signal-15", True),
    "143 1790000000000 4 SUM signal": ("signal-15", False),
    "7 1790000000000 4 SUM": ("exit-7", False),
    "7 now 4 SUM exit soon": ("exit-7", False),
    "7 - 4 SUM exit -5-": ("exit-7", False),
    "7 - 04 SUM exit 007": ("exit-7", True),
    "7 - 4 sum exit 12": ("exit-7", True),
    "7": ("exit-7", True),
}


@pytest.mark.usefixtures("sh")
@pytest.mark.parametrize("record", RECORDS)
async def test_a_record_with_words_missing_or_not_as_they_must_be_still_tells_the_end(
    make_port: MakePort, tmp_path: Path, record: str
) -> None:
    await ended(make_port, "sh", "-c", "echo out; exit 7")
    sum_of = hashlib.sha256(b"out\n").hexdigest()
    (run_directory(tmp_path) / "rc").write_text(record.replace("SUM", sum_of) + "\n")
    found = await make_port("sh").inspect(order())
    assert isinstance(found, Definite), found
    assert isinstance(found.value, Finished)
    assert (found.value.failure, found.value.answer.lost) == RECORDS[record]


@pytest.mark.parametrize("record", ["", "x", "256 - - -", "0x7 - - -", "-1 - - -"])
async def test_a_record_without_a_status_proves_no_end(
    make_port: MakePort, tmp_path: Path, record: str
) -> None:
    await ended(make_port, "sh", "-c", "exit 7")
    (run_directory(tmp_path) / "rc").write_text(record + "\n")
    found = await make_port("sh").inspect(order())
    assert isinstance(found, Unknown)
    assert "cannot be read" in found.detail.raw


TIDY = {
    "empties it": "rm -rf ./* ./.[!.]*",
    "empties what is around it": "rm -rf ../*",
    "deletes it": 'rm -rf "$FLEET_TUI_RUN_DIR"',
    "deletes what is around it": 'rm -rf "$FLEET_TUI_RUN_DIR/.."',
    "renames it": 'mv "$FLEET_TUI_RUN_DIR" ../elsewhere',
    "renames what is around it": 'cd ..; mv "$PWD" "$PWD.old"',
    "puts a file in its place": "cd ..; rm -rf run; echo no > run",
    "closes it": "chmod 000 .",
    "closes what is around it": "chmod 000 .. .",
    "leaves names of ours in it": "for f in owner rc rc.new stop out err; do echo lost > $f; done",
    "leaves names of ours as directories": "mkdir owner rc rc.new stop out err job task",
    "leaves a thousand files": "i=0; while [ $i -lt 1000 ]; do : > $i; i=$((i + 1)); done",
    "empties even our own": "cd ../..; rm -rf ./*",
    "puts pipes in place of ours": "cd ../..; rm -f out err rc.new; mkfifo out err rc.new rc stop",
    "puts directories in place of ours": "cd ../..; rm -f out err rc.new; "
    "mkdir out err rc.new rc; touch rc/new",
    "puts links in place of ours": "cd ../..; rm -f out err rc.new; "
    "for f in out err rc.new rc; do ln -s /etc $f; done",
    "puts links to files in place of ours": "cd ../..; rm -f out err rc.new; "
    "echo no > other; for f in out err rc.new rc; do ln -s other $f; done",
    "closes its descriptors": "exec 0<&- 3<&- 4<&- 5<&-",
    "works somewhere else": "cd /",
    "deletes all of its run": "cd ../..; rm -rf $PWD",
    "deletes all that is known of its run": "cd ../..; rm -rf $PWD ../.claims",
    "renames all of its run": 'cd ../..; mv "$PWD" "$PWD.old"',
    "puts a file in place of its run": 'cd ../..; rm -rf "$PWD"; echo no > "$PWD"',
    "puts a link in place of its run": 'cd ../..; rm -rf "$PWD"; ln -s / "$PWD"',
    "closes all of its run": "chmod 000 ../.. .. .",
    "deletes all runs": "cd ../../..; rm -rf $PWD",
    "empties the directory of all runs": "cd ../../..; rm -rf ./* ./.[!.]*",
    "renames the directory of all runs": 'cd ../../..; mv "$PWD" "$PWD.old"',
}


@pytest.mark.usefixtures("sh")
@pytest.mark.parametrize("how", TIDY)
async def test_what_a_program_does_to_its_directory_changes_nothing_about_its_record(
    make_port: MakePort, tmp_path: Path, how: str
) -> None:
    found = await ended(make_port, "sh", "-c", f"echo before; {TIDY[how]}; echo cleaned")
    said = b"before\ncleaned\n"
    assert found.ok
    assert found.answer.text.raw.encode() == said
    assert found.answer.sha256 == hashlib.sha256(said).hexdigest()
    assert not found.answer.lost
    assert found.duration_ms is not None
    assert found.duration_ms < 600_000
    gone = await RunWrapper(
        Program(command=("cat",), run_dir=str(tmp_path / "runs")), RunDirectory(Epoch(1)), lambda: 0
    ).collect(LocalShell(), [order().run_id])
    assert gone == (order().run_id,)
    assert not run_directory(tmp_path).exists()
    assert list((tmp_path / "runs").glob(".claims/*")) == []


@pytest.mark.usefixtures("sh")
async def test_a_program_that_tidies_up_while_it_runs_can_still_be_stopped(
    make_port: MakePort, tmp_path: Path
) -> None:
    ready = tmp_path / "ready"
    port = make_port("sh", "-c", f"rm -rf ../*; touch {ready}; sleep 300")
    await port.start(order())
    await until(ready.exists)
    assert await port.cancel(order()) == Definite(Stopped())


@pytest.mark.usefixtures("sh")
async def test_a_program_that_puts_pipes_in_place_of_our_files_is_watched_and_stopped(
    make_port: MakePort, tmp_path: Path
) -> None:
    """Opening a pipe that nobody serves waits for ever."""
    ready = tmp_path / "ready"
    pipes = "cd ../..; rm out err; mkfifo out err stop; touch"
    port = make_port("sh", "-c", f"{pipes} {ready}; sleep 300")
    await port.start(order())
    await until(ready.exists)
    found = await port.inspect(order())
    assert isinstance(found, Definite)
    assert isinstance(found.value, Running)
    assert await port.cancel(order()) == Definite(Stopped())


SENT = ("HUP", "INT", "QUIT", "USR1", "USR2", "PIPE", "ALRM", "TERM", "ABRT", "XCPU", "PROF")
"""What a program may send to its whole group, such as to tell its children something."""


@pytest.mark.usefixtures("sh")
@pytest.mark.parametrize("name", SENT)
@pytest.mark.parametrize("perl", [True, False], ids=["perl", "no-perl"])
async def test_a_signal_to_its_whole_group_ends_no_book_keeping(
    make_port: MakePort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, perl: bool
) -> None:
    if not perl:
        monkeypatch.setenv("PATH", without(tmp_path, "perl"))
    elif shutil.which("perl") is None:
        missing("no perl on PATH")
    script = f"trap : {name}; kill -{name} 0; echo mine; exit 7"
    found = await ended(make_port, "sh", "-c", script)
    assert (found.failure, found.answer.text.raw) == ("exit-7", "mine\n")


KILLS = {
    "its whole group": "kill -KILL 0",
    "its whole group, from a child": "(kill -KILL 0); sleep 300",
    "its whole group, by its number": "kill -KILL -$(cut -d' ' -f5 /proc/$$/stat)",
}


@pytest.mark.usefixtures("sh")
@pytest.mark.parametrize("whom", KILLS)
async def test_what_kills_its_whole_group_does_not_kill_who_writes_down_its_end(
    make_port: MakePort, whom: str
) -> None:
    if shutil.which("perl") is None:
        missing("no perl on PATH")
    found = await ended(make_port, "sh", "-c", f"echo mine; {KILLS[whom]}")
    assert (found.failure, found.answer.text.raw) == ("signal-9", "mine\n")


@pytest.mark.parametrize(
    ("script", "word"),
    [
        *((f"echo mine; {kill}", "signal-9") for kill in KILLS.values()),
        ("echo mine; exit 127", "command-missing"),
    ],
)
async def test_without_perl_a_shell_with_job_control_keeps_its_program_apart(
    make_port: MakePort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, word: str
) -> None:
    bash = shutil.which("bash")
    if bash is None:
        missing("no bash on PATH")
    tools = Path(without(tmp_path, "perl", "sh"))
    (tools / "sh").symlink_to(bash)
    monkeypatch.setenv("PATH", str(tools))
    found = await ended(make_port, "sh", "-c", script)
    assert (found.failure, found.answer.text.raw) == (word, "mine\n")


@pytest.mark.usefixtures("sh")
async def test_a_program_that_begins_with_setsid_is_waited_for(make_port: MakePort) -> None:
    """It goes on in a second process, and the first ends at once, where it leads a group."""
    found = await ended(make_port, "setsid", "sh", "-c", "sleep 0.3; echo mine; exit 7")
    assert (found.failure, found.answer.text.raw) == ("exit-7", "mine\n")


@pytest.mark.usefixtures("sh")
async def test_a_program_that_has_to_be_killed_keeps_its_output(
    make_port: MakePort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wrapper, "CANCEL_GRACE_S", 0)
    ready = tmp_path / "ready"
    port = make_port("sh", "-c", f"trap '' TERM; touch {ready}; sleep 300; sleep 300")
    await port.start(order())
    await until(ready.exists)
    assert await port.cancel(order()) == Definite(Stopped())
    assert (run_directory(tmp_path) / "rc").read_text().startswith("137 ")


async def test_a_program_killed_with_its_parent_leaves_no_exit_status(
    make_port: MakePort, tmp_path: Path
) -> None:
    """What waits for the program is gone, the program is not: it still runs."""
    ready = tmp_path / "ready"
    port = make_port("sh", "-c", f"kill -KILL $PPID; touch {ready}; sleep 300")
    await port.start(order())
    await until(ready.exists)
    assert await port.cancel(order()) == Definite(Stopped())


@pytest.mark.parametrize(
    "loss",
    [
        "rm {run}/out",
        ": > {run}/out",
        "echo other > {run}/out",
        "rm {run}/out; mkdir {run}/out",
    ],
)
@pytest.mark.usefixtures("sh")
async def test_output_that_is_lost_afterwards_is_said_to_be_lost(
    make_port: MakePort, tmp_path: Path, loss: str
) -> None:
    port = make_port("echo", "hello")
    await port.start(order())
    whole = await finished(port, order())
    subprocess.run(["sh", "-c", loss.format(run=run_directory(tmp_path))], check=True)
    found = await finished(port, order())
    assert found.ok
    assert found.answer.lost
    assert not found.answer.truncated
    assert found.answer.text.raw == ""
    assert (found.answer.size_bytes, found.answer.sha256) == (6, whole.answer.sha256)


@pytest.mark.usefixtures("sh")
async def test_what_a_program_left_behind_prints_later_is_no_part_of_its_answer(
    make_port: MakePort, tmp_path: Path
) -> None:
    script = f"echo mine; (until [ -f {tmp_path}/go ]; do sleep 0.02; done; echo late) &"
    port = make_port("sh", "-c", script)
    await port.start(order())
    before = await finished(port, order())
    (tmp_path / "go").touch()
    out = run_directory(tmp_path) / "out"
    await until(lambda: out.read_text() == "mine\nlate\n")
    assert await finished(port, order()) == before
    assert before.answer.text.raw == "mine\n"


@pytest.mark.usefixtures("sh")
async def test_runs_of_older_wrappers_are_understood(make_port: MakePort, tmp_path: Path) -> None:
    """They let the program work beside their own files, and wrote four words when it ended."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    digest = hashlib.sha256(b"cleaned\n").hexdigest()
    ends = {
        1: (f"0 1795884304500 8 {digest}\n", "cleaned\n", "", False, 4_500),
        2: (f"143 1795884304500 8 {digest}\n", "cleaned\n", "signal-15", False, 4_500),
        3: (f"255 1795884299000 8 {digest}\n", "cleaned\n", "exit-255", False, None),
        4: ("0 1795884304500 0 \n", None, "", True, 4_500),
    }
    port = make_port("cat")
    for attempt, (rc, out, failure, lost, took_ms) in ends.items():
        run = run_directory(tmp_path, attempt)
        run.mkdir(parents=True)
        (run / "owner").write_text(f"run 12345 67890 {boot} 1795884300000\n")
        (run / "rc").write_text(rc)
        (run / "usage.json").write_text('{"input_tokens": 12}')
        if out is not None:
            (run / "out").write_text(out)
        found = await finished(port, order(attempt=attempt))
        assert (found.failure, found.answer.lost, found.duration_ms) == (failure, lost, took_ms)
        assert found.usage.input_tokens == 12
    (run_directory(tmp_path, 4) / "owner").unlink()
    assert (await finished(port, order(attempt=4))).duration_ms is None


async def test_runs_that_an_older_wrapper_left_running_are_found_and_stopped(
    make_port: MakePort, tmp_path: Path
) -> None:
    ready = tmp_path / "ready"
    port = make_port("sh", "-c", f"touch {ready}; sleep 300")
    await port.start(order())
    await until(ready.exists)
    run = run_directory(tmp_path)
    (run / "checkpoint").write_text("page 7")
    shutil.rmtree(run / "work")
    found = await port.cancel(order())
    assert isinstance(found, Definite)
    assert isinstance(found.value, Stopped)
    assert found.value.checkpoint is not None
    assert found.value.checkpoint.text.raw == "page 7"


async def test_a_directory_in_which_nothing_may_be_deleted_is_collected(
    make_port: MakePort, tmp_path: Path
) -> None:
    await ended(make_port, "sh", "-c", "mkdir -p a/b; touch a/b/c; chmod 500 a/b a")
    port = make_port("cat")
    assert await port.collect([RunId(order().run_id)]) == (order().run_id,)
    assert not run_directory(tmp_path).exists()


async def test_collecting_leaves_nothing_behind_and_says_so_as_often_as_it_is_asked(
    make_port: MakePort, tmp_path: Path
) -> None:
    await ended(make_port, "true")
    runs, never = tmp_path / "runs", order(attempt=2).run_id
    for left in (".try.7", "epoch.7", f".claims/.{never}.7"):
        (runs / left).write_text("broken off")
        os.utime(runs / left, (0, 0))
    port, wanted = make_port("cat"), [RunId(order().run_id), RunId(never)]
    for _ in range(2):  # the first answer may be lost on its way
        assert await port.collect(wanted) == tuple(wanted)
    assert sorted(path.name for path in runs.rglob("*")) == [".claims", "began.1000000", "epoch"]


@pytest.mark.usefixtures("sh")
async def test_what_there_is_of_runs_is_told_part_by_part(
    make_port: MakePort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wrapper, "KEPT_LIMIT", 3)
    await ended(make_port, "true")
    port = make_port("cat")
    await port.inspect(order(attempt=2))  # leaves a tombstone
    directory, bare = tmp_path / "runs", RunId(order(attempt=3).run_id)
    (directory / ".claims" / bare).write_text("run 1 1 boot 1")
    for odd in ("a b", "-n", "x" * 129, "two\nlines", "$(id)", ".hidden"):
        (directory / odd).mkdir()
    told: list[RunId] = []
    parts = 0
    part: KeptRuns | None = KeptRuns((), 0)
    while part is not None and part.following is not None:
        part = await port.kept(part.following)
        parts += 1
        told += part.runs if part is not None else ()
    assert part is not None
    ours = {RunId(order(attempt=n).run_id) for n in (1, 2, 3)}
    assert ours <= set(told) <= ours | {"epoch", "began.1000000", "two", "lines"}
    assert parts > 3


async def test_a_host_without_runs_holds_none(make_port: MakePort) -> None:
    port = make_port("cat")
    part = await port.kept(0)
    assert part is not None
    assert (set(part.runs) - {"epoch", "began.1000000"}, part.following) == (set(), None)


OUT_OF_SIGHT = (
    "deletes all of its run",
    "deletes all that is known of its run",
    "renames all of its run",
    "puts a file in place of its run",
    "deletes all runs",
    "renames the directory of all runs",
)
"""Of TIDY, what leaves nothing of a run where it is looked for."""


@pytest.mark.usefixtures("sh")
@pytest.mark.parametrize("how", OUT_OF_SIGHT)
async def test_a_program_that_deletes_its_record_is_still_watched_and_stopped(
    make_port: MakePort, tmp_path: Path, how: str
) -> None:
    ready = tmp_path / "ready"
    port = make_port("sh", "-c", f"{TIDY[how]}; touch {ready}; sleep 300")
    await port.start(order())
    await until(ready.exists)
    assert await port.inspect(order()) == Definite(Running(output_bytes=0))
    assert await port.cancel(order()) == Definite(Stopped())


@pytest.mark.usefixtures("sh")
async def test_a_run_whose_record_was_deleted_is_not_started_twice(
    make_port: MakePort, tmp_path: Path
) -> None:
    book, ready, go = tmp_path / "book", tmp_path / "ready", tmp_path / "go"
    script = f"cd ../..; rm -rf $PWD; echo ran >> {book}; touch {ready}; "
    port = make_port("sh", "-c", script + f"until [ -e {go} ]; do sleep 0.05; done; echo done")
    await port.start(order())
    await until(ready.exists)
    again = await port.start(order())
    assert isinstance(again, Definite)
    assert isinstance(again.value, Started)
    assert again.value.already
    go.touch()
    found = await finished(port, order())
    assert (found.ok, found.answer.text.raw) == (True, "done\n")
    assert book.read_text() == "ran\n"


STOPS_WHO_WAITS = {
    "its parent": ("kill -STOP $PPID", True),
    "its parent, without perl": ("kill -STOP $PPID", False),
    "all that wait": ("kill -STOP $PPID $(cut -d' ' -f4 /proc/$PPID/stat)", True),
}


@pytest.mark.usefixtures("sh")
@pytest.mark.parametrize("who", STOPS_WHO_WAITS)
async def test_a_program_that_stops_who_waits_for_it_is_waited_for(
    make_port: MakePort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, who: str
) -> None:
    script, perl = STOPS_WHO_WAITS[who]
    if not perl:
        monkeypatch.setenv("PATH", without(tmp_path, "perl"))
    elif shutil.which("perl") is None:
        missing("no perl on PATH")
    found = await ended(make_port, "sh", "-c", f"{script}; echo mine; exit 7")
    assert (found.failure, found.answer.text.raw) == ("exit-7", "mine\n")


@pytest.mark.usefixtures("sh")
async def test_a_program_whose_keeper_is_gone_runs_until_all_of_its_session_has_ended(
    make_port: MakePort, tmp_path: Path
) -> None:
    """Also what it put in a group of its own, as shells with job control do."""
    ready, go = tmp_path / "ready", tmp_path / "go"
    waits = f"until [ -e {go} ]; do sleep 0.05; done"
    keeper = "kill -KILL $PPID $(cut -d' ' -f4 /proc/$PPID/stat)"
    port = make_port(
        "sh", "-c", f"perl -e 'setpgrp; exec @ARGV' sh -c '{waits}' & {keeper}; touch {ready}"
    )
    await port.start(order())
    await until(ready.exists)
    assert await port.inspect(order()) == Definite(Running(output_bytes=0))
    go.touch()
    assert await port.follow(order()) == Definite(Died(reason="process-gone"))


async def test_what_works_on_without_its_keeper_is_stopped_in_all_its_groups(
    make_port: MakePort, tmp_path: Path
) -> None:
    ready = tmp_path / "ready"
    keeper = "kill -KILL $PPID $(cut -d' ' -f4 /proc/$PPID/stat)"
    apart = f"perl -e 'setpgrp; exec @ARGV' sh -c 'touch {ready}; exec sleep 300'"
    port = make_port("sh", "-c", f"{apart} & {keeper}")
    await port.start(order())
    await until(ready.exists)
    assert await port.cancel(order()) == Definite(Stopped())
