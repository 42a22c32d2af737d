"""A machine with run directories, told what to do by the same questions as a real one.

This is ``wire/programs/wrapper.sh`` in virtual time: same questions, same answers, same order of
steps, and a crash may come between any two of them. The contract tests run against both.
"""

import random
from collections.abc import Callable
from enum import StrEnum
from typing import Literal, NamedTuple, assert_never

import msgspec
from msgspec.structs import replace

from fleet_tui.core.ids import AgentName, HostName
from fleet_tui.sim.virtual.loop import VirtualLoop
from fleet_tui.sim.virtual.question import Question, read_question
from fleet_tui.sim.virtual.truth import Execution, Truth, sha256

Respond = Callable[[bytes], None]
"""Takes the whole standard output once the script has ended."""

AWAIT_OWNER_S = 3.3
"""How long the script waits for the process that claims a run: ``await_owner``."""
FREE_KB = 50_000_000
LONG_S = 300.0
"""How long a long run takes: longer than any trouble lasts."""

RunTime = Callable[[str], "Habit"]


class Lack(StrEnum):
    """What keeps a machine that answers from taking any run, as ``rehearse`` words it."""

    LINK = "link Operation not permitted"
    """Its run directory has no hard links. Only one that tries finds out."""
    TOOL = "tool mkdir"
    """A tool is gone. Every look says so."""


class Habit:
    """What the program does for one run."""

    def __init__(self, rng: random.Random, typical_s: float) -> None:
        long = rng.random() < 0.12
        self.seconds = LONG_S if long else min(LONG_S, rng.expovariate(1 / typical_s))
        dice = rng.random()
        self.status: int | None = 0 if dice < 0.8 else 3 if dice < 0.93 else None
        """None: it is killed and can tell nobody."""
        dice = rng.random()
        self.on_term: Literal["dies", "finishes", "ignores"] = (
            "dies" if dice < 0.7 else "finishes" if dice < 0.85 else "ignores"
        )
        self.silent = rng.random() < 0.35
        """It writes nothing while it works: for a heartbeat it is dead."""
        self.step_s = rng.choice((2.0, 8.0)) if rng.random() < 0.5 else 0.0
        """How often it leaves a checkpoint; 0 never."""
        said = rng.getrandbits(40)
        self.output = f"out {said:x}\n"
        self.used = (said % 997, said // 997 % 499)
        """Tokens, in and out; a program that uses nothing tells nothing."""


class TurnedAway(NamedTuple):
    """A start that a machine could not take for a lack of its own."""

    run: str
    agent: AgentName
    at_s: float


class RunDir:
    """A run's directory."""

    def __init__(self) -> None:
        self.owner: str | None = None
        """``run``, or a tombstone: ``fenced``, ``lost``."""
        self.boot = ""
        self.execution: Execution | None = None
        self.stop = False
        self.wiped = False
        """Its process is not known, and writes nothing down any more."""
        self.bare = False
        """Its directory was made anew: what its program prints and leaves lies nowhere."""
        self.began_s = 0.0
        self.rc: tuple[int, float, bytes] | None = None
        """Exit status, seconds it took, output."""
        self.waiting: list[Callable[[], None]] = []
        """Who waits for something to change here."""

    def poke(self) -> None:
        """Something changed."""
        waiting, self.waiting = self.waiting, []
        for wake in waiting:
            wake()


class SimHost:
    """One machine. ``answer`` runs the script; the rest is what may happen to a machine."""

    tombstones = True
    """The planted bug ``no-tombstone`` switches them off."""
    fences_epochs = True
    """The planted bug ``no-epoch-fence`` switches it off."""

    sees_wipes = True
    """The planted bug ``trusts-wiped`` switches it off."""

    def __init__(
        self, name: HostName, loop: VirtualLoop, rng: random.Random, truth: Truth, habits: RunTime
    ) -> None:
        self.name = name
        self.up = True
        self.free_kb = FREE_KB
        self.lack: Lack | None = None
        """What is missing there for taking runs; None for nothing."""
        self.lacks_since_s = 0.0
        self.turned_away: list[TurnedAway] = []
        self.runs: dict[str, RunDir] = {}
        self.claims: dict[str, RunDir] = {}
        """The second links to what owns a run: ``.claims``."""
        self._processes: list[RunDir] = []
        """What was claimed here since the machine came up."""
        self.made_s = 0.0
        self._is_of_then = True
        """Whether the runs here are those among which the one that is asked about was planned."""
        self.epoch = self.beginning = 0
        """The file ``epoch``: the newest engine seen, and since when no run was lost."""
        self.boots = 1
        self._loop = loop
        self._rng = rng
        self._truth = truth
        self._habits = habits

    @property
    def boot(self) -> str:
        """The boot id."""
        return f"boot-{self.name}-{self.boots}"

    @property
    def can_own(self) -> bool:
        """Whether it can be written down here whose run it is."""
        return self.free_kb > 0 and self.lack is None

    # What may happen to it

    def go_down(self) -> None:
        """Power is lost: every process is gone, the disk stays."""
        self.up = False
        self.kill_runs()
        self.boots += 1

    def come_up(self) -> None:
        """It has booted."""
        self.up = True

    def wipe(self, *, unwatched: bool = False) -> None:
        """Somebody deletes the directory of all runs. Programs go on, and are known by who waits
        for them; ``unwatched``, that is killed, and they can tell nobody."""
        for run_id in list(self.runs):
            self.delete_run(run_id)
        if unwatched:
            for run in self._processes:
                run.wiped = True
        self.claims = {}
        self.epoch = self.beginning = 0

    def delete_run(self, run_id: str) -> None:
        """Somebody deletes, moves or replaces a run's directory."""
        run = self.runs.pop(run_id)
        run.rc, run.stop, run.bare = None, False, True
        if run.execution is None:
            run.wiped = True
        else:
            run.execution.wiped_s = self._loop.time()

    def kill_runs(self) -> None:
        """Every program is killed, and its wrapper with it."""
        for run in self._processes:
            self._end(run, None)
        self._processes = []

    # The script

    def answer(self, stdin: bytes, respond: Respond) -> None:
        """Run the script with what arrived of its standard input."""
        if not self.up:
            return
        question = read_question(stdin)
        if question is None:
            respond(b"")
            return
        reply = _Reply(self, respond)
        if self.epoch > question.epoch and self.fences_epochs:
            reply.end(f"state stale {self.epoch}")
            return
        if self._began_after(question, reply):
            question = replace(question, tomb="lost")
        match question.verb:
            case "look":
                self._look(question, reply)
            case "start":
                self._start(question, reply)
            case "probe":
                self._probe(question, reply)
            case "linger":
                self._linger(question, reply)
            case "cancel":
                self._cancel(question, reply)
            case "collect":
                reply.end("state collected")
            case "kept":
                names = [*sorted(self.runs), *sorted(self.claims)][question.skip :]
                for name in names[: question.most]:
                    reply.say(f"kept {name}")
                reply.end(f"state kept {len(names[: question.most])}")
            case _:  # a verb that this script does not have, or garbled on its way
                reply.end("")

    def _began_after(self, question: Question, reply: "_Reply") -> bool:
        """Write the epoch down; whether the directory is younger than what is asked about."""
        beginning, made_s = self.beginning, self.made_s
        if self.epoch < question.least_epoch:
            beginning, made_s = question.next, self._loop.time()
        elif self.epoch == 0:
            beginning, made_s = question.next - 1, self._loop.time()
        if self.free_kb > 0:
            self.epoch, self.beginning = max(self.epoch, question.epoch), beginning
            self.made_s = made_s
        if (self.epoch, self.beginning) == (question.epoch, beginning):
            reply.say(f"epoch {question.epoch} {beginning} {round(made_s * 1_000)}")
        is_younger = (self._loop.time() - made_s) * 1_000 < question.age_ms
        self._is_of_then = beginning <= question.planned and (
            question.founding_ms in (0, round(made_s * 1_000))
        )
        return self.sees_wipes and (is_younger or not self._is_of_then)

    def _look(self, question: Question, reply: "_Reply") -> None:
        if self.lack is Lack.TOOL or (self.lack is Lack.LINK and question.thorough):
            reply.say(f"cannot {self.lack}")
        reply.end(
            f"state ok\ntime {round(self._loop.time() * 1_000)}\n"
            f"disk {self.free_kb}\nload 0.5\nMemTotal: 100\nMemAvailable: 60"
        )

    def _start(self, question: Question, reply: "_Reply") -> None:
        body = question.body
        if body is None:
            reply.end("")
            return
        known = self._remade(question.run)
        if known is not None:
            reply.say("exists")
            self._await_owner(known, lambda: self._bury_and_report(known, question, reply))
            return
        if self.lack is not None:
            self._turn_away(question)
        if self.free_kb <= 0 or self.lack is Lack.TOOL:
            reply.end(f"state refused {'disk-full' if self.free_kb <= 0 else 'no-run-dir'}")
            return
        run = self.runs[question.run] = RunDir()
        if self.free_kb < question.least_kb:
            self._refuse(run, "disk-full", reply)
        elif self.sees_wipes and not self._is_of_then:
            self._refuse(run, "run-dir-began-anew", reply)
        elif len(body) != question.size:
            self._refuse(run, "short", reply)
        elif sha256(body) != question.sha256:
            self._refuse(run, "damaged", reply)
        elif self.lack is Lack.LINK:
            self._refuse(run, "no-hard-links", reply)
        else:
            slow = self._rng.random() < 0.05
            claim_s = self._rng.uniform(2.0, 6.0) if slow else self._rng.uniform(0.001, 0.05)
            epoch = self.epoch
            self._later(claim_s, lambda: self._claim(run, question, body, epoch))
            self._await_owner(run, lambda: self._bury_and_report(run, question, reply))

    def _turn_away(self, question: Question) -> None:
        agent = AgentName(question.program.removeprefix("work-"))
        self.turned_away.append(TurnedAway(question.run, agent, self._loop.time()))

    def _refuse(self, run: RunDir, why: str, reply: "_Reply") -> None:
        self._bury(run, "fenced")
        if run.owner is not None:
            reply.say("buried")
        reply.end(f"state refused {why}")

    def _claim(self, run: RunDir, question: Question, body: bytes, known_epoch: int) -> None:
        """The child process: it owns the run, unless a tombstone is there first."""
        if run.owner is not None or run.wiped or not self.can_own:
            return
        run.owner, run.boot = "run", self.boot
        self.claims[question.run] = run
        self._processes.append(run)
        habit = self._habits(question.run)
        run.began_s = self._loop.time()
        run.execution = execution = Execution(
            run=question.run,
            agent=AgentName(question.program.removeprefix("work-")),
            host=self.name,
            epoch=question.epoch,
            host_epoch=known_epoch,
            payload_sha256=sha256(body[question.job_bytes :]),
            started_s=run.began_s,
            output=habit.output,
            used=habit.used,
            resumed_from=question.resume_from,
            silent=habit.silent and not habit.step_s,
            pulse_s=habit.step_s if habit.silent else 0.0,
        )
        self._truth.executions.append(execution)
        self._later(habit.seconds, lambda: self._end(run, habit.status))
        run.poke()

    def _end(self, run: RunDir, status: int | None) -> None:
        """The program ends; without a status its wrapper was killed too and nothing is written."""
        execution = run.execution
        if execution is None or not execution.lives:
            return
        execution.ended_s = self._loop.time()
        execution.status = status
        if status is not None and self.free_kb > 0 and not run.wiped and self._reclaim(run):
            execution.recorded = True
            run.rc = (status, execution.ended_s - run.began_s, execution.output.encode())
        run.poke()

    def _remade(self, run_id: str) -> RunDir | None:
        """The directory of a run, made anew where its claim says that it was here."""
        if run_id not in self.runs and run_id in self.claims:
            self.runs[run_id] = self.claims[run_id]
        return self.runs.get(run_id)

    def _found(self, run_id: str) -> RunDir | None:
        """As _remade, or by the process that waits for its program: ``find_owner``."""
        run = self._remade(run_id)
        if run is None and self.free_kb > 0 and self.lack is not Lack.TOOL:
            for process in self._processes:
                execution = process.execution
                if execution is None or execution.run != run_id:
                    continue
                if execution.lives and not process.wiped:
                    run = self.runs[run_id] = self.claims[run_id] = process
        return run

    def _reclaim(self, run: RunDir) -> bool:
        """Whether the run is still its process's when it ends."""
        assert run.execution is not None
        run_id = run.execution.run
        known = self._remade(run_id)
        if known is not None and known is not run and known.owner == "fenced":
            return False
        self.runs[run_id] = run
        return True

    def _probe(self, question: Question, reply: "_Reply") -> None:
        run = self._found(question.run)
        if run is None:
            if self.free_kb <= 0 or self.lack is Lack.TOOL:
                reply.end("state failed no-owner")
                return
            if not self.tombstones:
                reply.end("state fenced")
                return
            run = self.runs[question.run] = RunDir()
            self._bury_and_report(run, question, reply)
            return
        self._await_owner(run, lambda: self._bury_and_report(run, question, reply))

    def _linger(self, question: Question, reply: "_Reply") -> None:
        run = self._found(question.run)
        if run is None or not self._is_alive(run):
            self._probe(question, reply)
            return
        self._when(run, lambda: not self._is_alive(run), 20.0, lambda: self._probe(question, reply))

    def _cancel(self, question: Question, reply: "_Reply") -> None:
        run = self._found(question.run)
        if run is None:
            self._probe(question, reply)
            return
        self._await_owner(run, lambda: self._stop(run, question, reply))

    def _stop(self, run: RunDir, question: Question, reply: "_Reply") -> None:
        if run.owner is None:
            self._bury(run, question.tomb)
        if not self._is_alive(run):
            self._report(run, reply)
            return
        run.stop = True
        match self._habits(question.run).on_term:
            case "dies":
                self._later(self._rng.uniform(0.01, 0.5), lambda: self._end(run, 143))
            case "finishes":
                self._later(self._rng.uniform(0.1, 8.0), lambda: self._end(run, 0))
            case "ignores":
                pass
            case never:
                assert_never(never)
        self._when(run, lambda: not self._is_alive(run), 10.0, lambda: self._kill(run, reply))

    def _kill(self, run: RunDir, reply: "_Reply") -> None:
        self._end(run, None)
        self._report(run, reply)

    # Its parts

    def _later(self, delay_s: float, step: Callable[[], None]) -> None:
        """Go on later, if the machine has not gone down meanwhile."""
        boots = self.boots
        self._loop.later(delay_s, lambda: step() if self.up and self.boots == boots else None)

    def _when(
        self, run: RunDir, holds: Callable[[], bool], patience_s: float, then: Callable[[], None]
    ) -> None:
        """Go on once something holds of a run, or patience ends."""
        boots, over = self.boots, False

        def look(patient: bool = True) -> None:
            nonlocal over
            if over or not self.up or self.boots != boots:
                return
            if patient and not holds():
                run.waiting.append(look)
                return
            over = True
            then()

        look()
        if not over:
            self._loop.later(patience_s, look, False)

    def _await_owner(self, run: RunDir, then: Callable[[], None]) -> None:
        self._when(run, lambda: run.owner is not None, AWAIT_OWNER_S, then)

    def _bury_and_report(self, run: RunDir, question: Question, reply: "_Reply") -> None:
        if run.owner is None:
            self._bury(run, "fenced" if question.verb == "start" else question.tomb)
        self._report(run, reply)

    def _bury(self, run: RunDir, word: str) -> None:
        if self.can_own:
            run.owner = word
            run.poke()

    def _mark(self, run: RunDir, reply: "_Reply") -> None:
        """Tell the checkpoint that the program left, if any."""
        execution = run.execution
        step_s = self._habits(execution.run).step_s if execution is not None else 0.0
        if execution is None or not step_s or run.bare:
            return
        until_s = self._loop.time() if execution.ended_s is None else execution.ended_s
        steps = int((until_s - run.began_s) / step_s)
        if steps:
            checkpoint = f"{execution.run} step {steps}\n"
            if checkpoint not in execution.checkpoints[-1:]:
                execution.checkpoints.append(checkpoint)
            reply.say(f"checkpoint {sha256(checkpoint.encode())}")
            reply.blob("checkpoint", checkpoint.encode())

    def _written(self, run: RunDir) -> int:
        """Bytes of output so far."""
        silent = run.execution is None or self._habits(run.execution.run).silent
        return 0 if silent or run.bare else 1 + int((self._loop.time() - run.began_s) * 10)

    def _is_alive(self, run: RunDir) -> bool:
        return run.execution is not None and run.execution.lives

    def _report(self, run: RunDir, reply: "_Reply") -> None:
        if run.rc is not None:
            status, seconds, output = run.rc
            word = "stopped" if run.stop and status else "done"
            took_ms = round(seconds * 1_000)
            reply.say(f"state {word} {status} {took_ms} {len(output)} {sha256(output)}")
            reply.say("ended signal" if status > 128 else "ended exit")
            reply.blob("out", output)
            used = run.execution.used if run.execution is not None else (0, 0)
            if any(used):
                told = {"input_tokens": used[0], "output_tokens": used[1]}
                reply.blob("usage", msgspec.json.encode(told))
            if status:
                self._mark(run, reply)
            reply.end("")
        elif run.owner is None:
            reply.end("state failed no-owner")
        elif run.owner == "lost":
            reply.end("state lost")
        elif run.owner != "run":
            reply.end("state fenced")
        elif self._is_alive(run):
            reply.say(f"state running {self._written(run)}")
            self._mark(run, reply)
            reply.end("")
        else:
            why = "host-rebooted" if run.boot != self.boot else "process-gone"
            reply.say("state stopped" if run.stop else f"state dead {why}")
            self._mark(run, reply)
            reply.end("")


class _Reply:
    """The script's standard output."""

    def __init__(self, host: SimHost, respond: Respond) -> None:
        self._parts = [f"fleet-protocol: 1\nboot {host.boot}\n".encode()]
        self._respond = respond

    def say(self, line: str) -> None:
        self._parts.append(line.encode() + b"\n")

    def blob(self, label: str, content: bytes) -> None:
        self._parts.append(f"blob {label} {len(content)}\n".encode() + content + b"\n")

    def end(self, line: str) -> None:
        if line:
            self.say(line)
        self.say("end")
        self._respond(b"".join(self._parts))
