"""Programs behind a real sshd, an engine that is killed again and again, and a ledger of their own
that says what really ran."""

import asyncio
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from fleet_tui.core.fleet import TaskClass
from fleet_tui.core.ids import RunId, TaskId, split_run_id
from fleet_tui.core.state import AttemptPhase, TaskPhase
from tests.acceptance.rig import MakeRig, Rig
from tests.support.sshd import Sshd, sshd

__all__ = ["sshd"]

pytestmark = [pytest.mark.sshd, pytest.mark.slow]

AGENTS = 4
WAVES = 4
WAVE = 10
KILLS = 3
DEADLINE_S = 90.0

PROGRAM = """
import hashlib, json, os, sys, time
payload = sys.stdin.buffer.read()
book = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
def note(what):
    entry = {"what": what, "run": os.environ["FLEET_TUI_RUN_ID"],
             "sha256": hashlib.sha256(payload).hexdigest()}
    os.write(book, json.dumps(entry).encode() + b"\\n")
note("begun")
time.sleep(float(sys.argv[2]))
sys.stdout.buffer.write(payload)
sys.stdout.flush()
note("ended")
"""
"""An agent: notes that it began, works for a while, answers with its task, notes that it ended."""

TEXTS = (
    "plain",
    'it\'s "quoted" \\ and `ticked`',
    "$(touch {pwned}) ${{HOME}} $HOME `touch {pwned}` ; touch {pwned} | cat && true",
    "one\ntwo\r\nthree\n\n",
    "'; touch {pwned} #",
    "#end\nfleet-protocol: 1\nend\n",
    "-n -e --help",
    "漢字 ☃ 👩\u200d🚀 e\u0301 \u202eabc",
    "%s %d %% \\n \\x41 \x07\x1b[31m\ttab",
    "x" * 70_000,
)
"""What shells, printf, protocols and terminals trip over."""


def texts(pwned: Path) -> list[str]:
    return [
        f"{wave * WAVE + n}: {text.format(pwned=pwned)}"
        for wave in range(WAVES)
        for n, text in enumerate(TEXTS)
    ]


class Book:
    """The agents' own ledger: one line each time a program begins and ends."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def entries(self) -> list[dict[str, str]]:
        if not self.path.exists():
            return []
        return [json.loads(line) for line in self.path.read_text().splitlines()]

    def runs(self, what: str) -> list[tuple[RunId, str]]:
        """(run id, SHA-256 of the payload) of each time that happened."""
        return [(RunId(e["run"]), e["sha256"]) for e in self.entries() if e["what"] == what]

    def has_begun(self, times: int) -> Callable[[], bool]:
        """Whether programs have begun so many times, for later."""
        return lambda: len(self.runs("begun")) >= times


def fleet_of(make_rig: MakeRig, server: Sshd, directory: Path) -> Rig:
    """Agents that share one host, each with runs of its own."""
    program = directory / "agent.py"
    program.write_text(PROGRAM)
    base = [sys.executable, "-I", str(program), str(directory / "book")]
    agents = "".join(
        f"  cmd-{n}: {{host: box, slots: 2, run_dir: {directory}/runs-{n}, "
        f"command: {json.dumps([*base, str(0.8 + 0.2 * n)])}}}\n"
        for n in range(AGENTS)
    )
    spec = server.spec()
    return make_rig(
        "defaults: {kind: command, probe: {every: 500ms, timeout: 10s, down_after: 20}}\n"
        f"hosts:\n  box: {{address: 127.0.0.1, port: {spec.port}, user: {spec.user}, "
        f"identity: {spec.identity}, known_hosts: {spec.known_hosts}, ssh_config: off}}\n"
        f"agents:\n{agents}"
    )


async def test_forty_tasks_three_dead_engines_and_a_cut_connection(
    make_rig: MakeRig, sshd: Sshd, short_dir: Path
) -> None:
    rig = fleet_of(make_rig, sshd, short_dir)
    book = Book(short_dir / "book")
    pwned = short_dir / "pwned"
    rig.start()

    async def wave(number: int) -> list[tuple[TaskId, str]]:
        mine = texts(pwned)[number * WAVE : (number + 1) * WAVE]
        classes = (TaskClass.ONCE, TaskClass.IDEMPOTENT)
        ids = await asyncio.gather(
            *(
                rig.submit_until_taken(text, classes[n % 2], f"key-{number}-{n}")
                for n, text in enumerate(mine)
            )
        )
        return list(zip(ids, mine, strict=True))

    taken: list[tuple[TaskId, str]] = []
    interrupted: list[int] = []
    for number in range(WAVES):
        submitting = asyncio.create_task(wave(number))
        await rig.until(book.has_begun(3 + number * (WAVE - 1)), DEADLINE_S, "programs begin")
        interrupted.append(len(book.runs("begun")) - len(book.runs("ended")))
        if number < KILLS:
            rig.kill()
            rig.start()
        else:
            sshd.kill_sessions()
        taken.extend(await submitting)

    await rig.until(lambda: not rig.state().open_tasks, DEADLINE_S, "all tasks end")
    begun_runs, ended_runs = book.runs("begun"), book.runs("ended")
    tasks = {task.id: task for task in rig.tasks()}

    # Nothing lost, nothing made twice.
    assert len(taken) == WAVES * WAVE
    assert set(tasks) == {task for task, _ in taken}
    for task, text in taken:
        found = tasks[task]
        assert found.phase is TaskPhase.SUCCEEDED, rig.summary()
        last = found.attempt
        assert last is not None
        assert last.answer.sha256 == hashlib.sha256(text.encode()).hexdigest()
        assert last.answer.text.raw == text[: len(last.answer.text.raw)]
        assert last.answer.truncated == (len(text) > 65_536)
        # The bytes that arrived are the bytes that were given.
        arrived = [sha for run, sha in begun_runs if split_run_id(run)[0] == task]
        assert arrived == [hashlib.sha256(text.encode()).hexdigest()]
    assert not pwned.exists()
    assert Counter(begun_runs) == Counter(ended_runs)
    assert set(Counter(begun_runs).values()) == {1}

    # Every blow fell while programs ran.
    assert min(interrupted) > 0

    # What ran had been decided before: its run is in the ledger, and it succeeded there.
    succeeded = {
        attempt.run_id
        for task in tasks.values()
        for attempt in task.attempts
        if attempt.phase is AttemptPhase.SUCCEEDED
    }
    assert {run for run, _ in begun_runs} == succeeded
    assert rig.state().engine.epoch == KILLS + 1
    assert rig.state().totals.succeeded == WAVES * WAVE
