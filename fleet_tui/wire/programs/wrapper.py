"""Runs of a program on a host: started at most once, found again after any interruption.

A constant script (``wrapper.sh``) is sent with every request, so hosts need no installation. The
command line is the same each time; everything that varies is sent on standard input:

    the script, a line ``#end``, then one value per line
        verb, run directory, run id, engine epoch, tombstone word,
        "text-bytes least-epoch planned next age founding"
    then what the verb needs (``start``: bytes, job bytes, SHA-256, least free KiB, secrets, job,
    payload)

The answer is described in :mod:`fleet_tui.wire.programs.answers`.

The least epoch is one that the run directory must have seen: one that has seen less was deleted or
restored meanwhile, and starts over as ``next``. Planned is the number of the beginning for which
the run was planned (see RunDirectory), age is how many milliseconds ago, and founding is when that
directory had been created by its host's clock, as the engine knew it then; 0 where it did not. In a
directory that began later a tombstone proves nothing (``lost``), a run that the directory does not
know stays unknown, and a late start is refused. Founding and age decide where the number cannot: a
request of a dead engine may reach its host late, after the directory was deleted, and recreates it
as of that engine.

Secrets are variables as one line of shell. They are sent on standard input too, and are in the
environment of the run's own processes, which only its user can read: in no file, no argument list,
and no log of sshd.

The program has a directory of its own in FLEET_TUI_RUN_DIR (also its working directory). It may do
anything there, including deleting it: records of the run are kept elsewhere.

A resumable program writes its progress to the file named by FLEET_TUI_CHECKPOINT: UTF-8 text
without NUL, at most MAX_CHECKPOINT_CHARS, written to another name in the same directory and then
renamed, so that it is complete at every moment. A longer one, or one that is not text, is ignored;
the last valid one counts. FLEET_TUI_RESUME_FROM names a file with the checkpoint to continue from,
byte for byte as it was left, perhaps on another host; it is not set where there is none. The ledger
stores checkpoints unchanged, so no secret belongs in one; they are never shown.

If the program leaves
``usage.json`` there, its numbers are taken: ``{"input_tokens": 1, "output_tokens": 2,
"cache_read_tokens": 0, "cache_write_tokens": 0, "cost_usd": 0.01, "model": "..."}``, all optional.
"""

import hashlib
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import NamedTuple

import msgspec

from fleet_tui.base.stopwatch import boot_time_s
from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.core.ids import Epoch, RunId
from fleet_tui.core.tasks.codes import NotStartedCode
from fleet_tui.core.tasks.evidence import (
    Definite,
    Died,
    Finished,
    LostReason,
    NotStarted,
    Running,
    RunOrder,
    Started,
    Stopped,
    Unknown,
)
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.wire.port import CANCELLED_FIRST, KeptRuns, Wanted, always_wanted
from fleet_tui.wire.programs.answers import (
    FENCED,
    MAX_NOISE_BYTES,
    NOTHING_LEFT,
    PROTOCOL,
    TEXT_BYTES,
    WrapperReply,
    failure_word,
    inspection_of,
    read_checkpoint,
    read_reply,
    read_usage,
    unclear,
)
from fleet_tui.wire.shell import ChannelFailure, Completed, Shell
from fleet_tui.wire.words import words_of

__all__ = [
    "FENCED",
    "MAX_NOISE_BYTES",
    "PROTOCOL",
    "TEXT_BYTES",
    "Program",
    "RunDirectory",
    "RunWrapper",
    "WrapperReply",
    "failure_word",
    "inspection_of",
    "read_checkpoint",
    "read_reply",
    "read_usage",
]
"""Includes names of the answers module, so that callers need not know where answers are parsed."""

MAX_REPLY_BYTES = 2 * TEXT_BYTES + MAX_NOISE_BYTES + 65_536
MAX_PAYLOAD_BYTES = 4_194_304
MAX_SECRETS_BYTES = 65_536
"""Of all secrets of a run together. An environment allows at most twice that for one variable."""
LEAST_FREE_KB = 65_536
"""A host with less free space for its runs takes no new ones."""


def disk_full(free_kb: float) -> Untrusted | None:
    """Why a host takes no new runs, if its free space is that low."""
    if free_kb >= LEAST_FREE_KB:
        return None
    return words_of(f"{free_kb / 1024:.0f} MiB free, new runs need {LEAST_FREE_KB // 1024}")


def told_full(reply: WrapperReply) -> Untrusted | None:
    """The same for the vitals of a probe."""
    free_kb = reply.number("disk")
    return None if free_kb is None else disk_full(free_kb)


CANCEL_GRACE_S = 10
"""Between TERM and KILL."""
LINGER_S = 20
KEPT_LIMIT = 1_000
"""Names of runs that a host lists at a time."""
START_TIMEOUT_MS = 60_000
QUESTION_TIMEOUT_MS = 15_000
CANCEL_TIMEOUT_MS = CANCEL_GRACE_S * 1000 + QUESTION_TIMEOUT_MS
LINGER_TIMEOUT_MS = LINGER_S * 1000 + QUESTION_TIMEOUT_MS

# Reads the script line by line with the shell's own `read`, which consumes no extra byte, so that
# the rest of standard input is left to the script. Avoids anything that csh and fish would read
# differently. Options that an environment turns on (SHELLOPTS of bash) are turned off: xtrace
# prints all of the script for each of its lines, noclobber keeps programs from running.
BOOTSTRAP = (
    'set +exuvC;n=$(printf "\\nx");n=${n%x};s=;'
    'while IFS= read -r l;do case $l in "#end")eval "$s";exit;;esac;s=$s$l$n;done'
)
COMMAND = f"sh -c '{BOOTSTRAP}'"
"""The one command line that is ever sent to a host."""

EXIT_NOT_RESUMED = 125
"""The exit status of a run whose program was not started, because its checkpoint could not be
written."""

BEGINNINGS = 1_000_000
"""Upper bound of how often a run directory starts over while one engine works."""

_RUN_ID = re.compile(r"[0-9A-Za-z_][0-9A-Za-z._-]{0,127}")


def _script() -> bytes:
    """The wrapper without comments and indentation, ready to be sent."""
    text = files("fleet_tui.wire.programs").joinpath("wrapper.sh").read_text(encoding="utf-8")
    lines = (line.strip() for line in text.splitlines())
    return "".join(f"{line}\n" for line in lines if line and line[0] != "#").encode() + b"#end\n"


SCRIPT = _script()


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """The program that is run for every task, and where."""

    command: tuple[str, ...]
    run_dir: str
    env: Mapping[str, str] = {}


class _Plan(NamedTuple):
    """What an engine knew about the directory when it started a run there."""

    beginning: int
    at_s: float
    """The instant, by its stopwatch."""
    founded: int
    """When that directory was created."""


class RunDirectory:
    """What one engine knows about a run directory.

    There is one per directory, shared by all agents with runs there and kept while they come and
    go: findings of one of them count for all.

    A directory may be deleted and start over, more than once while an engine works. Its beginnings
    are numbered: ``epoch * BEGINNINGS`` is the first that an engine of that epoch can meet, and
    each further one is one more.
    """

    def __init__(self, epoch: Epoch, elapsed_s: Callable[[], float] = boot_time_s) -> None:
        """``elapsed_s`` measures elapsed time, whatever happens to the machine's clock."""
        self.epoch = epoch
        self._elapsed_s = elapsed_s
        self.newest = 0
        """The newest epoch that the directory is known to have recorded; 0 before it reported
        one."""
        self.beginning = epoch * BEGINNINGS
        """The newest known beginning."""
        self.seen: set[str] = set()
        """Runs the host has claimed. Should one be gone later, its directory was wiped and a
        tombstone would prove nothing."""
        self.founded = 0
        """When it was created, by its host's clock; 0 before it reported that."""
        self._planned: dict[str, _Plan] = {}
        """Runs that this engine started."""

    def plan(self, run_id: str) -> None:
        """A run is about to be started there."""
        self._planned[run_id] = _Plan(self.beginning, self._elapsed_s(), self.founded)

    def planned(self, order: RunOrder) -> int:
        """The beginning for which a run was planned."""
        at_least = (order.epoch or self.epoch) * BEGINNINGS
        plan = self._planned.get(order.run_id)
        return at_least if plan is None else plan.beginning

    def founding(self, order: RunOrder) -> int:
        """When the directory for which a run was planned had been created; 0 where unknown."""
        plan = self._planned.get(order.run_id)
        return 0 if plan is None else plan.founded

    def age_ms(self, order: RunOrder, now_ms: int) -> int:
        """A lower bound of how long ago a run was planned: slightly less, because two clocks do not
        run at exactly the same speed. 0 where unknown. ``now_ms`` is by the clock that another
        engine planned by."""
        plan = self._planned.get(order.run_id)
        if plan is not None:
            age_ms = int((self._elapsed_s() - plan.at_s) * 1_000)
        elif order.planned_at_ms is not None:
            age_ms = max(0, now_ms - order.planned_at_ms)
        else:
            return 0
        return age_ms - age_ms // 1_000

    def forget(self, run_id: str) -> None:
        """A run's end is known."""
        self.seen.discard(run_id)
        self._planned.pop(run_id, None)

    def told(self, newest: int, beginning: int, founded: int = 0) -> None:
        """Process the directory's report: the last engine it saw, its beginning, and when it was
        created."""
        self.newest = min(newest, self.epoch)
        self.founded = founded
        if beginning // BEGINNINGS == self.epoch:
            self.beginning = max(self.beginning, beginning)


class RunWrapper:
    """The runs of one program in one place, handled by sending the run wrapper to a shell."""

    def __init__(
        self, program: Program, directory: RunDirectory, now_ms: Callable[[], int]
    ) -> None:
        """``now_ms`` is the clock by which runs are planned."""
        self._program = program
        self._directory = directory
        self._now_ms = now_ms

    async def start(
        self,
        shell: Shell,
        order: RunOrder,
        wanted: Wanted = always_wanted,
        secrets: Mapping[str, str] = {},
    ) -> Definite[Started | NotStarted] | Unknown:
        """Claim the run on the host and start it, once; see :meth:`AgentPort.start`. ``secrets``
        are variables of the program, each on one line, which are written nowhere."""
        given = _given(secrets)
        if len(given) > MAX_SECRETS_BYTES:
            detail = words_of(f"secrets of {len(given)} bytes, at most {MAX_SECRETS_BYTES}")
            return Definite(
                NotStarted(reason=NotStartedCode.SECRETS_TOO_LARGE, detail=detail, retryable=False)
            )
        payload = order.payload.raw.encode("utf-8", "surrogateescape")
        if len(payload) > MAX_PAYLOAD_BYTES:
            detail = words_of(f"{len(payload)} bytes, at most {MAX_PAYLOAD_BYTES}")
            refusal = NotStarted(
                reason=NotStartedCode.PAYLOAD_TOO_LARGE, detail=detail, retryable=False
            )
            return Definite(refusal)
        if not _RUN_ID.fullmatch(order.run_id):
            return Definite(NotStarted(reason=NotStartedCode.BAD_ID, retryable=False))
        refused = await self._introduced(shell)
        if refused is not None:
            return Definite(refused)
        if not wanted():
            return Definite(CANCELLED_FIRST)
        self._directory.plan(order.run_id)
        job = self._job(order)
        body = job + payload
        facts = (len(body), len(job), hashlib.sha256(body).hexdigest(), LEAST_FREE_KB)
        result = await shell.run(
            COMMAND,
            self._question("start", order, facts) + given + b"\n" + body,
            timeout_ms=START_TIMEOUT_MS,
            max_output_bytes=MAX_REPLY_BYTES,
        )
        if isinstance(result, ChannelFailure):
            return Definite(NotStarted(reason=result.kind.value, detail=result.detail))
        match self._read(result):
            case WrapperReply(state=("refused", reason), words=words):
                return Definite(NotStarted(reason=reason, fenced="buried" in words))
            case WrapperReply(state=("stale", *_)):
                return Definite(NotStarted(reason=NotStartedCode.STALE_EPOCH))
            case WrapperReply(state=("fenced",)):
                return Definite(FENCED)
            case WrapperReply(state=("lost",)):
                return NOTHING_LEFT
            case WrapperReply(state=("running" | "done" | "stopped" | "dead", *_), words=words):
                self._directory.seen.add(order.run_id)
                boot = words.get("boot", (None,))[0]
                return Definite(Started(boot_id=boot, already="exists" in words))
            case WrapperReply() as reply:
                return unclear(reply)
            case Unknown() as unknown:
                return unknown

    async def inspect(
        self, shell: Shell, order: RunOrder
    ) -> Definite[Running | Finished | Died | Stopped | NotStarted] | Unknown:
        """The state of the run; one that never started gets a tombstone."""
        return await self._ask(shell, "probe", order, (), QUESTION_TIMEOUT_MS)

    async def linger(
        self, shell: Shell, order: RunOrder, *, suspended: bool = False
    ) -> Definite[Running | Finished | Died | Stopped | NotStarted] | Unknown:
        """As inspect, but the host answers only when the run ends, after LINGER_S, or when its
        suspension differs from ``suspended``."""
        known = "suspended" if suspended else "going"
        return await self._ask(shell, "linger", order, (LINGER_S, known), LINGER_TIMEOUT_MS)

    async def cancel(
        self, shell: Shell, order: RunOrder
    ) -> Definite[Running | Finished | Died | Stopped | NotStarted] | Unknown:
        """TERM to everything the run started, KILL after CANCEL_GRACE_S; returns the result."""
        return await self._ask(shell, "cancel", order, (CANCEL_GRACE_S,), CANCEL_TIMEOUT_MS)

    async def _introduced(self, shell: Shell) -> NotStarted | None:
        """Why the run directory cannot get a run, None if it can. It must have seen this engine:
        otherwise a late start would pass for the first one after a deletion."""
        if self.is_known:
            return None
        reply = await self.probe(shell, timeout_ms=QUESTION_TIMEOUT_MS)
        match reply:
            case ChannelFailure(kind=kind, detail=detail):
                return NotStarted(reason=kind.value, detail=detail)
            case Unknown(reason=reason, detail=detail):
                return NotStarted(reason=reason.value, detail=detail)
            case WrapperReply(state=("stale", *_)):
                return NotStarted(reason=NotStartedCode.STALE_EPOCH)
            case WrapperReply(state=("refused", reason)):
                return NotStarted(reason=reason)
            case WrapperReply(words=words) if "epoch" in words:
                return None
            case WrapperReply() if told_full(reply) is not None:
                return NotStarted(reason=FailureKind.DISK_FULL)
            case WrapperReply():
                return NotStarted(reason=NotStartedCode.RUN_DIR_NOT_WRITABLE)

    @property
    def is_known(self) -> bool:
        """Whether the run directory knows this engine, as it must before it gets a run."""
        return self._directory.newest == self._directory.epoch

    async def probe(
        self, shell: Shell, *, timeout_ms: int, rehearse: bool = False
    ) -> WrapperReply | Unknown | ChannelFailure:
        """The host's vitals and whether the program is there: words boot, time, disk, load …

        ``rehearse`` also tests there everything that a run will need; see :func:`cannot_work`.
        """
        thorough = "rehearse" if rehearse else "quick"
        question = self._question("look", None, (self._program.command[0], thorough))
        result = await shell.run(COMMAND, question, timeout_ms=timeout_ms)
        return result if isinstance(result, ChannelFailure) else self._read(result)

    async def collect(self, shell: Shell, runs: Sequence[str]) -> tuple[str, ...] | Unknown:
        """Delete the directories of runs whose end is in the ledger; returns those now gone.

        Tombstones younger than seven days stay.
        """
        wanted = [run for run in runs if _RUN_ID.fullmatch(run)]
        result = await shell.run(
            COMMAND, self._question("collect", None, (*wanted, "")), timeout_ms=START_TIMEOUT_MS
        )
        if isinstance(result, ChannelFailure):
            return Unknown(LostReason.REFUSED, result.detail)
        reply = self._read(result)
        return reply if isinstance(reply, Unknown) else reply.words.get("gone", ())

    async def kept(self, shell: Shell, skip: int) -> KeptRuns | None:
        """Runs with a directory or a tombstone there, from the ``skip``-th name on; None where the
        answer is unusable."""
        result = await shell.run(
            COMMAND,
            self._question("kept", None, (f"{skip} {KEPT_LIMIT}",)),
            timeout_ms=START_TIMEOUT_MS,
        )
        reply = None if isinstance(result, ChannelFailure) else self._read(result)
        match reply:
            case WrapperReply(state=("kept", count), words=words):
                runs = [RunId(name) for name in words.get("kept", ())]
                return KeptRuns(runs, skip + int(count) if int(count) == KEPT_LIMIT else None)
            case _:  # the request failed, or the answer was something else
                return None

    async def _ask(
        self, shell: Shell, verb: str, order: RunOrder, extra: Sequence[object], timeout_ms: int
    ) -> Definite[Running | Finished | Died | Stopped | NotStarted] | Unknown:
        if not _RUN_ID.fullmatch(order.run_id):
            return Definite(NotStarted(reason=NotStartedCode.BAD_ID, retryable=False))
        result = await shell.run(
            COMMAND,
            self._question(verb, order, extra),
            timeout_ms=timeout_ms,
            max_output_bytes=MAX_REPLY_BYTES,
        )
        if isinstance(result, ChannelFailure):
            return Unknown(LostReason.REFUSED, result.detail)
        reply = self._read(result)
        fact = reply if isinstance(reply, Unknown) else inspection_of(reply)
        if isinstance(fact, Definite):
            if isinstance(fact.value, Running):
                self._directory.seen.add(order.run_id)
            else:
                self._directory.forget(order.run_id)
        return fact

    def _read(self, result: Definite[Completed] | Unknown) -> WrapperReply | Unknown:
        """As read_reply; also records what the run directory reports about itself."""
        reply = read_reply(result)
        if isinstance(reply, WrapperReply) and (told := reply.words.get("epoch", ())):
            self._directory.told(*map(int, told))
        return reply

    def tail_question(self, path: str, inode: str, offset: int, seconds: int) -> bytes:
        """The request that makes the host send a file's bytes from an offset on; see logtail.py."""
        return self._question("tail", None, (path, inode, offset, seconds))

    def _question(self, verb: str, order: RunOrder | None, extra: Sequence[object]) -> bytes:
        """``order`` is the run of the request, None for a request about the host."""
        known = self._directory
        run_id, tomb, planned, age_ms, founding = "-", "fenced", known.beginning, 0, 0
        if order is not None:
            age_ms = known.age_ms(order, self._now_ms())
            run_id = order.run_id
            tomb = "lost" if run_id in known.seen else "fenced"
            planned, founding = known.planned(order), known.founding(order)
        trust = f"{TEXT_BYTES} {known.newest} {planned} {known.beginning + 1} {age_ms} {founding}"
        values = (verb, self._program.run_dir, run_id, known.epoch, tomb, trust, *extra)
        lines = "".join(f"{one_line(str(value))}\n" for value in values)
        return SCRIPT + lines.encode("utf-8", "surrogateescape")

    def _job(self, order: RunOrder) -> bytes:
        """The shell lines that become the program. Values are quoted, the program is exec'ed."""
        told = {
            **self._program.env,
            "FLEET_TUI_RUN_ID": order.run_id,
            "FLEET_TUI_TASK": order.label,
            "FLEET_TUI_ATTEMPT": str(order.attempt),
            "FLEET_TUI_TRACE_ID": order.trace_id,
        }
        lines = ['eval "$FLEET_TUI_GIVEN"', "unset FLEET_TUI_GIVEN"]
        lines += [f"export {shlex.quote(f'{name}={value}')}" for name, value in told.items()]
        lines.append('export FLEET_TUI_RUN_DIR="$PWD"')
        lines.append('export FLEET_TUI_CHECKPOINT="$PWD/checkpoint"')
        if order.checkpoint is None:
            lines.append("unset FLEET_TUI_RESUME_FROM")
        else:
            # In the job and not separate, so that it is counted and hashed with it.
            mark = shlex.quote(order.checkpoint.text.raw)
            lines.append(f"printf %s {mark} > resume-from || exit {EXIT_NOT_RESUMED}")
            lines.append('export FLEET_TUI_RESUME_FROM="$PWD/resume-from"')
        lines.append("exec " + quoted_command(self._program.command))
        return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")


def _given(secrets: Mapping[str, str]) -> bytes:
    """Secrets as one line of shell; empty without any."""
    words = [shlex.quote(f"{name}={value}") for name, value in secrets.items()]
    return " ".join(("export", *words)).encode("utf-8", "surrogateescape") if words else b""


def quoted_command(command: Sequence[str]) -> str:
    """A command line for sh; ``~/`` at the start of the program means the home directory."""
    first, *rest = command
    home = first.startswith("~/")
    program = ('"$HOME"/' if home else "") + shlex.quote(first[2:] if home else first)
    return " ".join((program, *map(shlex.quote, rest)))


def one_line(value: str) -> str:
    """``value`` as a line of the request, which a path with a line break cannot be."""
    return re.sub(r"[\r\n\0]", "?", value)
