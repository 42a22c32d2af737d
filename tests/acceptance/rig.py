"""A fleet as an operator has it: a file, a state directory, and the real program in processes of
its own. Every process is ended by its pid."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from fleet_tui.base.errors import FleetError
from fleet_tui.base.paths import socket_path
from fleet_tui.cli.common import Fleet
from fleet_tui.cli.open import engine_answers
from fleet_tui.core.agents.model import AgentState
from fleet_tui.core.fleet import TaskClass
from fleet_tui.core.ids import AgentName, Seq, TaskId
from fleet_tui.core.ledger.events import Recorded
from fleet_tui.core.ledger.fold import fold
from fleet_tui.core.ledger.replies import Accepted, Refused
from fleet_tui.core.ledger.state import EMPTY_STATE, FleetState
from fleet_tui.core.tasks.commands import Submit
from fleet_tui.core.tasks.model import Task, TaskSpec
from fleet_tui.core.text.ulid import new_ulid
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.feed.client import EngineClient
from fleet_tui.journal.ledger.reader import JournalReader

NAME = "lab"
START_WITHIN_S = 30.0
COMMAND_WITHIN_S = 60.0
POLL_S = 0.05

PROGRAM: tuple[str, ...] = (sys.executable, "-m", "fleet_tui")


class Rig:
    """One fleet. ``start`` and ``kill`` its engine as often as you like; ``close`` in the end."""

    def __init__(self, directory: Path, text: str, **variables: str) -> None:
        """``text`` is the fleet file without its first two lines; ``variables`` go to the engine's
        environment."""
        self.base = directory
        self.file = directory / "fleet.yaml"
        self.file.write_text(f"version: 1\nfleet: {NAME}\n{text}")
        self.home = directory / "home"
        self.home.mkdir(mode=0o700, exist_ok=True)
        self.directory = directory / "state" / NAME
        """The fleet's state directory; the engine makes it."""
        self.env = os.environ | {
            "HOME": str(self.home),
            "FLEET_TUI_STATE_DIR": str(self.directory.parent),
            "XDG_DATA_HOME": str(directory / "data"),
            **variables,
        }
        self.program = PROGRAM
        """What the engine is started with; a test may have one that differs in something."""
        self.process: subprocess.Popen[bytes] | None = None
        self.output = directory / "engine.out"
        self._reader: JournalReader | None = None
        self._state = EMPTY_STATE
        self._events: list[Recorded] = []

    # --- the engine ---

    def spawn(self) -> "subprocess.Popen[bytes]":
        """Start an engine without waiting for it."""
        with self.output.open("ab") as output:
            return subprocess.Popen(
                [*self.program, "engine", str(self.file)],
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def start(self) -> None:
        """Start the engine and wait until it answers."""
        assert self.process is None, "already running"
        self.process = self.spawn()
        deadline = time.monotonic() + START_WITHIN_S
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the engine does not start:\n{self.said()}")
            time.sleep(POLL_S)

    def answers(self) -> bool:
        """Whether an engine listens."""
        return engine_answers(Fleet(NAME, self.file, self.directory))

    def kill(self) -> None:
        """End the engine the way a crash does."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.process = None

    def said(self) -> str:
        """What engines printed, and the end of their log."""
        log = self.directory / "engine.log"
        texts = [path.read_text(errors="replace") for path in (self.output, log) if path.exists()]
        return "\n".join(text[-4_000:] for text in texts)

    def close(self) -> None:
        """End the engine and let go of the ledger."""
        if self.process is not None:
            self.kill()
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    # --- the command line ---

    def cli(self, *words: str, text: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
        """Run a command of the program to its end."""
        return subprocess.run(
            [*PROGRAM, *words],
            env=self.env,
            cwd=self.base,
            input=text,
            capture_output=True,
            timeout=COMMAND_WITHIN_S,
            check=False,
        )

    def submit(self, text: str, *words: str) -> None:
        """Give the fleet a task with the real command, its text on standard input."""
        done = self.cli("submit", "-f", str(self.file), "--file", "-", *words, text=text.encode())
        assert done.returncode == 0, done.stderr.decode()

    async def submit_until_taken(self, text: str, task_class: TaskClass, key: str) -> TaskId:
        """Submit as a console does, again and again with the same key until it is acknowledged."""
        task = TaskId(new_ulid(time.time_ns() // 1_000_000, os.urandom(10)))
        spec = TaskSpec(payload=Untrusted(text), task_class=task_class)
        submit = Submit(task=task, key=key, spec=spec)
        deadline = time.monotonic() + COMMAND_WITHIN_S
        while time.monotonic() < deadline:
            try:
                client = await EngineClient.connect(socket_path(self.directory), "tester")
            except FleetError:
                await asyncio.sleep(POLL_S)
                continue
            reply = await client.send(submit)
            await client.close()
            if isinstance(reply, Accepted):
                assert reply.task is not None
                return reply.task
            assert isinstance(reply, Refused)
            assert reply.code in {"no-engine", "no-reply", "stopping", "in-doubt"}, reply
        raise AssertionError("nobody took the task")

    # --- the ledger ---

    def events(self) -> list[Recorded]:
        """Every event so far."""
        if self._reader is None:
            self._reader = JournalReader(self.directory)
        after = self._events[-1].seq if self._events else Seq(0)
        while fresh := self._reader.read(after, 2_000):
            self._events.extend(fresh)
            self._state = fold(self._state, fresh)
            after = fresh[-1].seq
        return self._events

    def state(self) -> FleetState:
        """The fleet as its ledger tells it now."""
        self.events()
        return self._state

    def agent(self, name: str) -> AgentState:
        """One agent as the ledger tells it now."""
        return self.state().agents[AgentName(name)]

    def tasks(self) -> list[Task]:
        """All tasks, in the order of their numbers."""
        state = self.state()
        everything = tuple(state.tasks())
        return sorted(everything, key=lambda task: task.number)

    async def until(self, holds: Callable[[], bool], within_s: float, what: str) -> None:
        """Wait for a condition; fails with what the fleet looked like when it never came."""
        deadline = time.monotonic() + within_s
        while not holds():
            assert time.monotonic() < deadline, f"never: {what}\n{self.summary()}"
            await asyncio.sleep(POLL_S)

    def summary(self) -> str:
        """The fleet in a few lines, for a failed test."""
        agents = [
            f"  {a.name}: {a.health} {a.failure or ''} {a.reason} {a.detail.raw!r}"
            for a in self.state().agents.values()
        ]
        tasks = [
            f"  {t.label} {t.phase} {t.reason} "
            + " ".join(f"[{a.agent} {a.phase} {a.reason} {a.lost or ''}]" for a in t.attempts)
            for t in self.tasks()
        ]
        return "\n".join(["agents:", *agents, "tasks:", *tasks, "engine:", self.said()])


MakeRig = Callable[..., Rig]
"""Makes a Rig of the test's own from the arguments behind the directory; see conftest."""
