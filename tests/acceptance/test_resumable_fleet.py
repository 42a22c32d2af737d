"""Programs that are killed, or fall silent: who goes on with their work, from where, and how often
each piece of it was done, by a ledger of the programs' own."""

import asyncio
import json
import shutil
import sys
from collections import Counter
from pathlib import Path

import pytest

from fleet_tui.core.fleet import TaskClass
from fleet_tui.core.ids import RunId
from fleet_tui.core.tasks.events import AttemptCancelling, AttemptCheckpointed
from fleet_tui.core.tasks.evidence import LostReason
from fleet_tui.core.tasks.model import Attempt, AttemptPhase, CancelCause, Task, TaskPhase
from tests.acceptance.rig import NAME, MakeRig, Rig
from tests.support.sshd import Sshd, sshd
from tests.support.wrapped import kill_all_of

__all__ = ["sshd"]

pytestmark = pytest.mark.slow

DEADLINE_S = 60.0
PAGES = 9
PER_ATTEMPT = 3

READER = f"""
import json, os, sys, time
total = int(sys.stdin.read())
book = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
run, left = os.environ["FLEET_TUI_RUN_ID"], os.environ["FLEET_TUI_CHECKPOINT"]
done = 0
if "FLEET_TUI_RESUME_FROM" in os.environ:
    with open(os.environ["FLEET_TUI_RESUME_FROM"], encoding="utf-8") as file:
        done = json.load(file)["Seiten ✓"]
for page in range(done, total):
    os.write(book, json.dumps({{"run": run, "page": page}}).encode() + b"\\n")
    with open(left + ".new", "w", encoding="utf-8") as file:
        json.dump({{"Seiten ✓": page + 1}}, file, ensure_ascii=False)
    os.replace(left + ".new", left)
    if page + 1 < total and (page + 1) % {PER_ATTEMPT} == 0:
        time.sleep(600)
print("read", total)
"""
"""Reads pages, notes each in the book, leaves how far it is, and hangs after every third page."""


class Book:
    """The programs' own ledger: one line for each page that was read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[tuple[RunId, int]]:
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        return [(RunId(entry["run"]), entry["page"]) for entry in map(json.loads, lines)]


def reading_fleet(make_rig: MakeRig, server: Sshd, directory: Path) -> Rig:
    """Three readers on one host, each with runs of its own."""
    program = directory / "reader.py"
    program.write_text(READER)
    command = json.dumps([sys.executable, "-I", str(program), str(directory / "book")])
    agents = "".join(
        f"  r{n}: {{host: box, run_dir: {directory}/runs-{n}, command: {command}}}\n"
        for n in range(3)
    )
    spec = server.spec()
    return make_rig(
        "defaults: {kind: command, probe: {every: 500ms, timeout: 10s, down_after: 20}}\n"
        f"hosts:\n  box: {{address: 127.0.0.1, port: {spec.port}, user: {spec.user}, "
        f"identity: {spec.identity}, known_hosts: {spec.known_hosts}, ssh_config: off}}\n"
        "retry: {resumable: {max_attempts: 3, backoff: 10ms..20ms}}\n"
        f"agents:\n{agents}"
    )


def only_task(rig: Rig) -> Task:
    (task,) = rig.tasks()
    return task


async def hangs(rig: Rig, book: Book, pages: int) -> Attempt:
    """Wait until so many pages are read and left in a checkpoint; the attempt that hangs now."""
    await rig.until(lambda: len(book.read()) == pages, DEADLINE_S, f"{pages} pages are read")
    attempt = only_task(rig).attempt
    assert attempt is not None
    left = run_directory(rig, attempt) / "work" / "run" / "checkpoint"
    said = json.dumps({"Seiten ✓": pages}, ensure_ascii=False)
    await rig.until(lambda: left.read_text() == said, DEADLINE_S, "the checkpoint is left")
    return attempt


def run_directory(rig: Rig, attempt: Attempt) -> Path:
    return rig.base / f"runs-{attempt.agent.removeprefix('r')}" / NAME / attempt.run_id


def kill(run: Path) -> None:
    """End a run together with who waits for it."""
    kill_all_of(int((run / "owner").read_text().split()[1]))


def boot(run: Path) -> None:
    """What a reboot leaves of a run: its owner was of another boot."""
    words = (run / "owner").read_text().split()
    words[3] = "the-boot-before"
    (run / "owner").write_text(" ".join(words) + "\n")


def cordon(rig: Rig, attempt: Attempt) -> None:
    assert rig.cli("cordon", attempt.agent, "-f", str(rig.file)).returncode == 0


@pytest.mark.sshd
async def test_killed_readers_go_on_elsewhere_and_every_page_is_read_once(
    make_rig: MakeRig, sshd: Sshd, short_dir: Path
) -> None:
    rig = reading_fleet(make_rig, sshd, short_dir)
    book = Book(short_dir / "book")
    rig.start()
    await rig.submit_until_taken(str(PAGES), TaskClass.RESUMABLE, "a-long-book")

    first = await hangs(rig, book, PER_ATTEMPT)
    cordon(rig, first)
    kill(run_directory(rig, first))

    second = await hangs(rig, book, 2 * PER_ATTEMPT)
    cordon(rig, second)
    # The host goes down while nobody watches, and is back before anybody does.
    rig.kill()
    kill(run_directory(rig, second))
    boot(run_directory(rig, second))
    rig.start()

    await rig.until(lambda: only_task(rig).phase.is_closed, DEADLINE_S, "the task ends")
    task = only_task(rig)
    assert task.phase is TaskPhase.SUCCEEDED, rig.summary()
    phases = [attempt.phase for attempt in task.attempts]
    assert phases == [AttemptPhase.DIED, AttemptPhase.DIED, AttemptPhase.SUCCEEDED]
    assert [attempt.reason for attempt in task.attempts[:2]] == ["process-gone", "host-rebooted"]
    assert len({attempt.agent for attempt in task.attempts}) == len(task.attempts)

    assert Counter(page for _, page in book.read()) == Counter(range(PAGES))
    by_run = [run for run, _ in book.read()]
    assert by_run == [a.run_id for a in task.attempts for _ in range(PER_ATTEMPT)]

    left = [r.event for r in rig.events() if isinstance(r.event, AttemptCheckpointed)]
    assert [event.run for event in left] == [attempt.run_id for attempt in task.attempts[:2]]
    assert [json.loads(event.checkpoint.text.raw) for event in left] == [
        {"Seiten ✓": PER_ATTEMPT},
        {"Seiten ✓": 2 * PER_ATTEMPT},
    ]


WORKER = """
import os, sys, time
how = sys.stdin.read()
for step in range(20):
    if how == "talks":
        print(step, flush=True)
    if how == "leaves checkpoints":
        with open("checkpoint.new", "w") as file:
            file.write(str(step))
        os.replace("checkpoint.new", os.environ["FLEET_TUI_CHECKPOINT"])
    time.sleep(0.3 if how != "says nothing" else 60)
"""
"""Works for twice as long as a run may be silent here, and gives signs of life or none."""


async def test_a_program_that_falls_silent_is_stopped_and_one_that_gives_signs_of_life_is_not(
    make_rig: MakeRig, short_dir: Path
) -> None:
    program = short_dir / "worker.py"
    program.write_text(WORKER)
    rig = make_rig(
        f"defaults: {{kind: local, run_dir: {short_dir}/runs, slots: 3}}\n"
        "deadlines: {start_to_close: 10m, heartbeat: 3s}\n"
        f"agents:\n  worker: {{command: {json.dumps([sys.executable, '-I', str(program)])}}}\n"
    )
    rig.start()
    await asyncio.gather(
        *(
            rig.submit_until_taken(how, TaskClass.ONCE, how)
            for how in ("talks", "leaves checkpoints", "says nothing")
        )
    )
    await rig.until(
        lambda: len(rig.tasks()) == 3 and all(task.phase.is_closed for task in rig.tasks()),
        DEADLINE_S,
        "all tasks end",
    )
    by_text = {task.spec.payload.raw: task for task in rig.tasks()}
    assert by_text["talks"].phase is TaskPhase.SUCCEEDED, rig.summary()
    assert by_text["leaves checkpoints"].phase is TaskPhase.SUCCEEDED, rig.summary()
    silent = by_text["says nothing"]
    assert (silent.phase, silent.reason) == (TaskPhase.FAILED, "fell silent and was stopped")
    assert [attempt.phase for attempt in silent.attempts] == [AttemptPhase.TIMED_OUT]
    stops = [r.event for r in rig.events() if isinstance(r.event, AttemptCancelling)]
    assert [(e.run, e.cause) for e in stops] == [(silent.attempts[0].run_id, CancelCause.HEARTBEAT)]


async def test_work_whose_run_directory_was_deleted_is_never_done_again_unasked(
    make_rig: MakeRig, short_dir: Path
) -> None:
    book = short_dir / "book"
    rig = make_rig(
        f"defaults: {{kind: local, run_dir: {short_dir}/runs, probe: {{every: 200ms}}}}\n"
        "lost_after: 2s\n"
        f"agents:\n  worker: {{command: [sh, -c, 'echo begun >> {book}; sleep 600']}}\n"
    )
    rig.start()
    await rig.submit_until_taken("once, please", TaskClass.ONCE, "once")
    await rig.until(book.exists, DEADLINE_S, "the program begins")
    attempt = only_task(rig).attempt
    assert attempt is not None
    rig.kill()
    kill(short_dir / "runs" / NAME / attempt.run_id)
    shutil.rmtree(short_dir / "runs")
    rig.start()
    await rig.until(
        lambda: only_task(rig).phase is TaskPhase.NEEDS_OPERATOR, DEADLINE_S, "somebody is asked"
    )
    (only,) = only_task(rig).attempts
    assert (only.phase, only.lost) == (AttemptPhase.GIVEN_UP, LostReason.NO_TRACE), rig.summary()
    assert book.read_text() == "begun\n"
