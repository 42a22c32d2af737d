"""Blows at random moments against real engines and a real sshd, and a book that says what ran.

The agents write the book themselves; what the fleet says afterwards is taken from the command line
and held against it, so nothing of ours vouches for itself.

    python -m tests.acceptance.chaos --blows 500 --seed 7

runs a campaign of any length. The seed decides the blows and the moments between them; the machine
still has its own mind about what is happening at such a moment.
"""

import argparse
import asyncio
import contextlib
import hashlib
import json
import random
import signal
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import psutil

from fleet_tui.core.fleet import TaskClass
from fleet_tui.core.ids import RunId, TaskId, split_run_id
from fleet_tui.core.tasks.events import AttemptUnknown, TaskPlaced
from tests.acceptance.rig import Rig
from tests.support import surroundings
from tests.support.sshd import Sshd, make_sshd

AGENTS = 4
SUBMITTERS = 3
MAX_OPEN = 8
"""Tasks that are open at once: enough that every blow meets some."""
MAX_PAUSE_S = 0.6
DEADLINE_S = 120.0

PROGRAM = """
import hashlib, json, os, sys, time
payload = sys.stdin.buffer.read()
book = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
digest = hashlib.sha256(payload).hexdigest()
def note(what):
    entry = {"what": what, "run": os.environ["FLEET_TUI_RUN_ID"], "sha256": digest}
    os.write(book, json.dumps(entry).encode() + b"\\n")
note("begun")
time.sleep(0.2 + int(digest[:2], 16) / 256)
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


class Blow(StrEnum):
    """What is done to a fleet at work."""

    ENGINE = "engine killed"
    SESSIONS = "connections killed"
    FREEZE = "connections stopped"
    """Until the next blow is due."""


CHANCES = {Blow.ENGINE: 2, Blow.SESSIONS: 1, Blow.FREEZE: 1}
"""A new engine forgets how often a host hung up, so that it is not long until work goes on."""


class Book:
    """The agents' own ledger: one line each time a program begins and ends."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def runs(self, what: str) -> list[tuple[RunId, str]]:
        """(run id, SHA-256 of the payload) of each time that happened."""
        if not self.path.exists():
            return []
        entries = (json.loads(line) for line in self.path.read_text().splitlines())
        return [(RunId(e["run"]), e["sha256"]) for e in entries if e["what"] == what]

    def at_work(self) -> int:
        """Programs that began and have not ended."""
        return len(self.runs("begun")) - len(self.runs("ended"))


def fleet_text(server: Sshd, directory: Path) -> str:
    """Agents that share one host, each with runs of its own."""
    program = directory / "agent.py"
    program.write_text(PROGRAM)
    command = json.dumps([sys.executable, "-I", str(program), str(directory / "book")])
    agents = "".join(
        f"  cmd-{n}: {{host: box, slots: 2, run_dir: {directory}/runs-{n}, command: {command}}}\n"
        for n in range(AGENTS)
    )
    spec = server.spec()
    return (
        "defaults: {kind: command, probe: {every: 500ms, timeout: 10s, down_after: 20}}\n"
        f"hosts:\n  box: {{address: 127.0.0.1, port: {spec.port}, user: {spec.user}, "
        f"identity: {spec.identity}, known_hosts: {spec.known_hosts}, ssh_config: off}}\n"
        f"agents:\n{agents}"
    )


@dataclass
class Campaign:
    """One fleet that is given work until all blows have fallen and as many tasks were taken."""

    rig: Rig
    server: Sshd
    book: Book
    rng: random.Random
    blows: list[Blow]
    fell: Counter[Blow] = field(default_factory=Counter)
    at_work: list[int] = field(default_factory=list)
    """Programs that ran when each blow fell."""
    taken: dict[TaskId, tuple[str, TaskClass]] = field(default_factory=dict)
    """What was acknowledged: the task, its text and class."""
    _over: bool = False
    _asked: int = 0
    _stopped: list[psutil.Process] = field(default_factory=list)

    async def run(self, pwned: Path) -> None:
        """Give work while the blows fall, then let everything come to rest."""
        self.rig.start()
        submitting = [asyncio.create_task(self._submit(pwned)) for _ in range(SUBMITTERS)]
        try:
            for blow in self.blows:
                await asyncio.sleep(self.rng.uniform(0, MAX_PAUSE_S))
                self._thaw()
                self.at_work.append(await self._seen_at_work())
                self._strike(blow)
                self.fell[blow] += 1
        finally:
            self._thaw()
            self._over = True
        await asyncio.gather(*submitting)
        await self.rig.until(lambda: not self.rig.state().open_tasks, DEADLINE_S, "all tasks end")

    async def _seen_at_work(self) -> int:
        """How many programs ran when some did: by the next look all may have ended."""
        seen = 0

        def some() -> bool:
            nonlocal seen
            seen = self.book.at_work()
            return seen > 0

        await self.rig.until(some, DEADLINE_S, "work goes on")
        return seen

    async def _submit(self, pwned: Path) -> None:
        while not self._over or len(self.taken) < len(self.blows):
            number, self._asked = self._asked, self._asked + 1
            text = f"{number}: {TEXTS[number % len(TEXTS)].format(pwned=pwned)}"
            task_class = (TaskClass.ONCE, TaskClass.IDEMPOTENT)[number % 2]
            task = await self.rig.submit_until_taken(text, task_class, f"key-{number}")
            self.taken[task] = (text, task_class)
            await self.rig.until(
                lambda: self._over or len(self.rig.state().open_tasks) < MAX_OPEN,
                DEADLINE_S,
                "there is room for more",
            )

    def _strike(self, blow: Blow) -> None:
        match blow:
            case Blow.ENGINE:
                self.rig.kill()
                self.rig.start()
            case Blow.SESSIONS:
                self.server.kill_sessions()
            case Blow.FREEZE:
                self._stopped = self.server.sessions()
                send(self._stopped, signal.SIGSTOP)

    def _thaw(self) -> None:
        send(self._stopped, signal.SIGCONT)
        self._stopped = []

    def wrongs(self) -> list[str]:
        """Everything that must never be, by the book against what the command line says."""
        said = self.rig.cli("tasks", "--json", "--limit", "100000", "-f", str(self.rig.file))
        tasks = {task["id"]: task for task in json.loads(said.stdout)["tasks"]}
        begun, ended = self.book.runs("begun"), self.book.runs("ended")
        begins = Counter(split_run_id(run)[0] for run, _ in begun)
        found = [f"{task} was taken and is lost" for task in self.taken if task not in tasks]
        found += [f"{task} is known and nobody asked for it" for task in tasks.keys() - self.taken]
        found += [
            f"{run} began {n} times" for run, n in Counter(r for r, _ in begun).items() if n > 1
        ]
        for task, (text, task_class) in self.taken.items():
            phase = tasks.get(task, {}).get("phase")
            if phase != "succeeded":
                found.append(f"{task} ended as {phase}: {tasks.get(task, {}).get('reason')}")
            if task_class is TaskClass.ONCE and begins[task] > 1:
                found.append(f"{task} may run once and began {begins[task]} times")
            if not any(split_run_id(run)[0] == task for run, _ in ended):
                found.append(f"{task} is said to be done and no program ended")
            digest = hashlib.sha256(text.encode()).hexdigest()
            if any(sha != digest for run, sha in begun if split_run_id(run)[0] == task):
                found.append(f"other bytes arrived for {task}")
        planned = {r.event.run for r in self.rig.events() if isinstance(r.event, TaskPlaced)}
        found += [f"{run} began and was never decided" for run, _ in begun if run not in planned]
        return found

    def told(self) -> str:
        """The campaign in a line."""
        lost = sum(isinstance(r.event, AttemptUnknown) for r in self.rig.events())
        blows = ", ".join(f"{n} {blow}" for blow, n in self.fell.items())
        return (
            f"{len(self.taken)} tasks taken, {len(self.book.runs('begun'))} runs begun, "
            f"{blows}; {lost} times a run was out of sight"
        )


def send(processes: Iterable[psutil.Process], what: signal.Signals) -> None:
    """Send a signal to those that are still there."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(what)


def blows_of(rng: random.Random, count: int) -> list[Blow]:
    """The blows of a campaign in their order."""
    return rng.choices(list(CHANCES), list(CHANCES.values()), k=count)


async def campaign(rig: Rig, server: Sshd, directory: Path, *, seed: int, blows: int) -> Campaign:
    """A campaign from its first task to its last."""
    rng = random.Random(seed)
    run = Campaign(rig, server, Book(directory / "book"), rng, blows_of(rng, blows))
    await run.run(directory / "pwned")
    return run


def main() -> int:
    """Run one campaign and say how it went; 1 when a promise did not hold."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--blows", type=int, default=500)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    around, directory = surroundings.isolate(), surroundings.short_dir()
    server = make_sshd(directory / "sshd")
    rig = Rig(directory, fleet_text(server, directory))
    try:
        run = asyncio.run(campaign(rig, server, directory, seed=options.seed, blows=options.blows))
        wrongs = run.wrongs()
        print(run.told())
    finally:
        rig.close()
        server.stop()
        surroundings.remove(directory)
        surroundings.remove(around)
    print("\n".join(wrongs) or "nothing lost, nothing twice, no wrong end")
    return 1 if wrongs else 0


if __name__ == "__main__":
    sys.exit(main())
