"""Runs of a program on a host: started at most once, found again after anything.

A constant script (``wrapper.sh``) is sent with every question, so hosts need no installation. The
command line is the same each time; everything that varies travels on standard input:

    the script, a line ``#end``, then one value per line
        verb, run directory, run id, engine epoch, tombstone word,
        "text-bytes least-epoch planned next"
    then what the verb needs (``start``: bytes, job bytes, SHA-256, least free KiB, job, payload)

The answer begins with a line ``fleet-protocol: 1`` (what login files print before it is skipped)
and ends with a line ``end``; between them are lines of words and counted blobs. An answer that is
not complete says nothing.

The least epoch is one that the run directory must have seen: one that has seen less was deleted or
restored meanwhile, and begins anew as ``next``. Planned says for which beginning the run was
planned, as a number (see RunDirectory). In a directory that began later a tombstone proves nothing
(``lost``), and a run nobody knows stays unknown.

The program finds its run directory in FLEET_TUI_RUN_DIR (also its working directory). A program
that can continue writes how far it has come to the file named by FLEET_TUI_CHECKPOINT: UTF-8 text
without NUL, at most MAX_CHECKPOINT_CHARS, written to another name in the same directory and then
renamed, so that it is whole at every moment. What is longer or not text is no checkpoint; the last
one that was taken counts. FLEET_TUI_RESUME_FROM names a file with the checkpoint to continue from,
byte for byte as it was left, perhaps on another host; it is not set where there is none. The ledger
keeps checkpoints as they are, so no secret belongs in one; they are never shown.

If the program leaves
``usage.json`` there, its numbers are taken: ``{"input_tokens": 1, "output_tokens": 2,
"cache_read_tokens": 0, "cache_write_tokens": 0, "cost_usd": 0.01, "model": "..."}``, all optional.
"""

import hashlib
import re
import shlex
from collections.abc import Mapping, Sequence
from importlib.resources import files

import msgspec

from fleet_tui.core.evidence import (
    MAX_ANSWER_CHARS,
    MAX_CHECKPOINT_CHARS,
    Answer,
    Checkpoint,
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
    Usage,
)
from fleet_tui.core.ids import Epoch
from fleet_tui.core.untrusted import NOTHING_SAID, Untrusted
from fleet_tui.wire.port import CANCELLED_FIRST, Wanted, always_wanted
from fleet_tui.wire.redact import redact
from fleet_tui.wire.shell import ChannelFailure, Completed, Shell

PROTOCOL = b"fleet-protocol: 1\n"
MAX_NOISE_BYTES = 65_536
"""What a host may print before the first line of the protocol (MOTD, login files)."""
TEXT_BYTES = max(MAX_ANSWER_CHARS, MAX_CHECKPOINT_CHARS) * 4
"""The most that is sent of an answer or a checkpoint: UTF-8 has at most four bytes a character."""
MAX_REPLY_BYTES = 2 * TEXT_BYTES + MAX_NOISE_BYTES + 65_536
MAX_PAYLOAD_BYTES = 4_194_304
LEAST_FREE_KB = 65_536
"""A host with less room for its runs takes no new ones."""


def disk_full(free_kb: float) -> Untrusted | None:
    """Why a host takes no new runs, if that little room is left."""
    if free_kb >= LEAST_FREE_KB:
        return None
    return Untrusted(f"{free_kb / 1024:.0f} MiB free, new runs need {LEAST_FREE_KB // 1024}")


CANCEL_GRACE_S = 10
"""Between TERM and KILL."""
LINGER_S = 20
START_TIMEOUT_MS = 60_000
QUESTION_TIMEOUT_MS = 15_000
CANCEL_TIMEOUT_MS = CANCEL_GRACE_S * 1000 + QUESTION_TIMEOUT_MS
LINGER_TIMEOUT_MS = LINGER_S * 1000 + QUESTION_TIMEOUT_MS

# Reads the script line by line with the shell's own `read`, which takes not one byte too many, so
# that the rest of standard input is the script's. Free of what csh and fish would read differently.
BOOTSTRAP = (
    'n=$(printf "\\nx");n=${n%x};s=;'
    'while IFS= read -r l;do case $l in "#end")eval "$s";exit;;esac;s=$s$l$n;done'
)
COMMAND = f"sh -c '{BOOTSTRAP}'"
"""The one command line that is ever sent to a host."""

EXIT_NOT_RESUMED = 125
"""How a run ends whose program was not started, because its checkpoint could not be written."""

FENCED = NotStarted(reason="fenced", fenced=True)
"""It never started, and a tombstone keeps it from starting."""

NOTHING_LEFT = Unknown(
    LostReason.NO_TRACE,
    Untrusted("its run directory was deleted or restored: it may have run"),
)

BEGINNINGS = 1_000_000
"""More often no run directory begins anew while one engine works."""

MAX_COUNT = 2**53
"""Larger numbers are not counts of anything."""

_NOT_OURS = re.compile(rb"[^\t\r -~]")
"""The wrapper's words are plain ASCII; they end up in reasons, which are taken for our own."""

_EXIT_STATUS = re.compile(r"[0-9]{1,3}")
"""Anything else is no exit status, and above all not 0."""

_RUN_ID = re.compile(r"[0-9A-Za-z_][0-9A-Za-z._-]{0,127}")


def _script() -> bytes:
    """The wrapper without comments and indentation, ready to be sent."""
    text = files("fleet_tui.wire").joinpath("wrapper.sh").read_text(encoding="utf-8")
    lines = (line.strip() for line in text.splitlines())
    return "".join(f"{line}\n" for line in lines if line and line[0] != "#").encode() + b"#end\n"


SCRIPT = _script()


class Reply(msgspec.Struct, frozen=True):
    """A complete answer of the wrapper."""

    state: tuple[str, ...]
    """The words after ``state``; the first says which state it is."""
    words: dict[str, tuple[str, ...]]
    blobs: dict[str, bytes]


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """What is run for every task, and where."""

    command: tuple[str, ...]
    run_dir: str
    env: Mapping[str, str] = {}


class RunDirectory:
    """What one engine knows of a run directory.

    There is one for each directory, shared by all agents whose runs lie there and kept while they
    come and go: what one of them noticed counts for all.

    A directory may be deleted and begin anew, more than once while an engine works. Its beginnings
    are numbered: ``epoch * BEGINNINGS`` is the first that an engine of that epoch can meet, and
    each further one is one more.
    """

    def __init__(self, epoch: Epoch) -> None:
        self.epoch = epoch
        self.newest = 0
        """The newest epoch that the directory is known to have written down; 0 before it said
        so."""
        self.beginning = epoch * BEGINNINGS
        """The newest beginning that is known."""
        self.seen: set[str] = set()
        """Runs the host has claimed. Should one be gone later, its directory was wiped and a
        tombstone would prove nothing."""
        self._planned: dict[str, int] = {}
        """Runs that were started after a beginning that this engine met; it did not lose them."""

    def plan(self, run_id: str) -> None:
        """A run is about to be started there."""
        if self.beginning > self.epoch * BEGINNINGS:
            self._planned[run_id] = self.beginning

    def planned(self, order: RunOrder) -> int:
        """For which beginning a run was planned."""
        at_least = (order.epoch or self.epoch) * BEGINNINGS
        return self._planned.get(order.run_id, at_least)

    def forget(self, run_id: str) -> None:
        """A run's end is known."""
        self.seen.discard(run_id)
        self._planned.pop(run_id, None)

    def told(self, newest: int, beginning: int) -> None:
        """The directory says which engine it saw last, and as what it began."""
        self.newest = min(newest, self.epoch)
        if beginning // BEGINNINGS == self.epoch:
            self.beginning = max(self.beginning, beginning)


class Runs:
    """The runs of one program in one place, reached through a shell."""

    def __init__(self, program: Program, directory: RunDirectory) -> None:
        self._program = program
        self._directory = directory

    async def start(
        self, shell: Shell, order: RunOrder, wanted: Wanted = always_wanted
    ) -> Definite[Started | NotStarted] | Unknown:
        """Claim the run on the host and start it, once; see :meth:`AgentPort.start`."""
        payload = order.payload.raw.encode("utf-8", "surrogateescape")
        if len(payload) > MAX_PAYLOAD_BYTES:
            detail = Untrusted(f"{len(payload)} bytes, at most {MAX_PAYLOAD_BYTES}")
            refusal = NotStarted(reason="payload-too-large", detail=detail, retryable=False)
            return Definite(refusal)
        if not _RUN_ID.fullmatch(order.run_id):
            return Definite(NotStarted(reason="bad-id", retryable=False))
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
            self._question("start", order, facts) + body,
            timeout_ms=START_TIMEOUT_MS,
            max_output_bytes=MAX_REPLY_BYTES,
        )
        if isinstance(result, ChannelFailure):
            return Definite(NotStarted(reason=result.kind.value, detail=result.detail))
        match self._read(result):
            case Reply(state=("refused", reason), words=words):
                return Definite(NotStarted(reason=reason, fenced="buried" in words))
            case Reply(state=("stale", *_)):
                return Definite(NotStarted(reason="stale-epoch"))
            case Reply(state=("fenced",)):
                return Definite(FENCED)
            case Reply(state=("lost",)):
                return NOTHING_LEFT
            case Reply(state=("running" | "done" | "stopped" | "dead", *_), words=words):
                self._directory.seen.add(order.run_id)
                boot = words.get("boot", (None,))[0]
                return Definite(Started(boot_id=boot, already="exists" in words))
            case Reply() as reply:
                return _unclear(reply)
            case Unknown() as unknown:
                return unknown

    async def inspect(
        self, shell: Shell, order: RunOrder
    ) -> Definite[Running | Finished | Died | Stopped | NotStarted] | Unknown:
        """Where the run stands; one that never started gets a tombstone."""
        return await self._ask(shell, "probe", order, (), QUESTION_TIMEOUT_MS)

    async def linger(
        self, shell: Shell, order: RunOrder
    ) -> Definite[Running | Finished | Died | Stopped | NotStarted] | Unknown:
        """As inspect, but the host answers only when the run ends or LINGER_S have passed."""
        return await self._ask(shell, "linger", order, (LINGER_S,), LINGER_TIMEOUT_MS)

    async def cancel(
        self, shell: Shell, order: RunOrder
    ) -> Definite[Running | Finished | Died | Stopped | NotStarted] | Unknown:
        """TERM to everything the run started, KILL after CANCEL_GRACE_S, and what came of it."""
        return await self._ask(shell, "cancel", order, (CANCEL_GRACE_S,), CANCEL_TIMEOUT_MS)

    async def _introduced(self, shell: Shell) -> NotStarted | None:
        """Why the run directory cannot get a run, None if it can. It must have seen this engine:
        a start that comes late would otherwise pass for the first one after a deletion."""
        if self.is_known:
            return None
        reply = await self.look(shell, timeout_ms=QUESTION_TIMEOUT_MS)
        match reply:
            case ChannelFailure(kind=kind, detail=detail):
                return NotStarted(reason=kind.value, detail=detail)
            case Unknown(reason=reason, detail=detail):
                return NotStarted(reason=reason.value, detail=detail)
            case Reply(state=("stale", *_)):
                return NotStarted(reason="stale-epoch")
            case Reply(state=("refused", reason)):
                return NotStarted(reason=reason)
            case Reply(words=words) if "epoch" in words:
                return None
            case Reply():
                return NotStarted(reason="run-dir-not-writable")

    @property
    def is_known(self) -> bool:
        """Whether the run directory knows this engine, as it must before it gets a run."""
        return self._directory.newest == self._directory.epoch

    async def look(self, shell: Shell, *, timeout_ms: int) -> Reply | Unknown | ChannelFailure:
        """The host's vitals and whether the program is there: words boot, time, disk, load …"""
        question = self._question("look", None, (self._program.command[0],))
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

    async def _ask(
        self, shell: Shell, verb: str, order: RunOrder, extra: Sequence[object], timeout_ms: int
    ) -> Definite[Running | Finished | Died | Stopped | NotStarted] | Unknown:
        if not _RUN_ID.fullmatch(order.run_id):
            return Definite(NotStarted(reason="bad-id", retryable=False))
        result = await shell.run(
            COMMAND,
            self._question(verb, order, extra),
            timeout_ms=timeout_ms,
            max_output_bytes=MAX_REPLY_BYTES,
        )
        if isinstance(result, ChannelFailure):
            return Unknown(LostReason.REFUSED, result.detail)
        reply = self._read(result)
        fact = reply if isinstance(reply, Unknown) else standing(reply)
        if isinstance(fact, Definite):
            if isinstance(fact.value, Running):
                self._directory.seen.add(order.run_id)
            else:
                self._directory.forget(order.run_id)
        return fact

    def _read(self, result: Definite[Completed] | Unknown) -> Reply | Unknown:
        """As read_reply; takes note of what the run directory has seen."""
        reply = read_reply(result)
        if isinstance(reply, Reply) and len(told := reply.words.get("epoch", ())) == 2:
            self._directory.told(*map(_number, told))
        return reply

    def tail_question(self, path: str, inode: str, offset: int, seconds: int) -> bytes:
        """What makes the host send a file's bytes from an offset on; see wire/logtail.py."""
        return self._question("tail", None, (path, inode, offset, seconds))

    def _question(self, verb: str, order: RunOrder | None, extra: Sequence[object]) -> bytes:
        """``order`` is the run it is about, None for a question about the host."""
        known = self._directory
        run_id, tomb, planned = "-", "fenced", known.beginning
        if order is not None:
            run_id = order.run_id
            tomb = "lost" if run_id in known.seen else "fenced"
            planned = known.planned(order)
        trust = f"{TEXT_BYTES} {known.newest} {planned} {known.beginning + 1}"
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
        lines = [f"export {shlex.quote(f'{name}={value}')}" for name, value in told.items()]
        lines.append('export FLEET_TUI_RUN_DIR="$PWD"')
        lines.append('export FLEET_TUI_CHECKPOINT="$PWD/checkpoint"')
        if order.checkpoint is None:
            lines.append("unset FLEET_TUI_RESUME_FROM")
        else:
            # In the job and not beside it, so that it is counted and hashed with it.
            mark = shlex.quote(order.checkpoint.text.raw)
            lines.append(f"printf %s {mark} > resume-from || exit {EXIT_NOT_RESUMED}")
            lines.append('export FLEET_TUI_RESUME_FROM="$PWD/resume-from"')
        lines.append("exec " + quoted_command(self._program.command))
        return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")


def quoted_command(command: Sequence[str]) -> str:
    """A command line for sh; ``~/`` at the start of the program means the home directory."""
    first, *rest = command
    home = first.startswith("~/")
    program = ('"$HOME"/' if home else "") + shlex.quote(first[2:] if home else first)
    return " ".join((program, *map(shlex.quote, rest)))


def one_line(value: str) -> str:
    """``value`` as a line of the question. A line break in a path has no place there."""
    return re.sub(r"[\r\n\0]", "?", value)


def read_reply(result: Definite[Completed] | Unknown) -> Reply | Unknown:
    """The wrapper's answer, or Unknown for anything but one complete answer."""
    if isinstance(result, Unknown):
        return result
    output = result.value.stdout
    at = output.find(PROTOCOL, 0, MAX_NOISE_BYTES + len(PROTOCOL))
    if at < 0:
        said = result.value.stderr[-300:] or output[-300:]
        detail = f"exit status {result.value.exit_status}: {said.decode('utf-8', 'replace')}"
        return Unknown(LostReason.BAD_ANSWER, Untrusted(detail))
    reply = _parse(output, at + len(PROTOCOL))
    return reply or Unknown(LostReason.BAD_ANSWER, Untrusted("the answer is not complete"))


MAX_LENGTH_DIGITS = 12
"""Python refuses to read numbers of thousands of digits, which a host may send."""


def _parse(output: bytes, at: int) -> Reply | None:
    words: dict[str, tuple[str, ...]] = {}
    blobs: dict[str, bytes] = {}
    while (end := output.find(b"\n", at)) >= 0:
        name, *rest = _NOT_OURS.sub(b"?", output[at:end]).decode("ascii").split() or [""]
        at = end + 1
        match name, rest:
            case "end", []:
                state = words.get("state")
                return Reply(state, words, blobs) if state else None
            case "blob", [label, length] if length.isdigit() and len(length) <= MAX_LENGTH_DIGITS:
                blobs[label] = output[at : at + int(length)]
                at += int(length) + 1
                if output[at - 1 : at] != b"\n":
                    return None
            case "gone", _:
                words["gone"] = (*words.get("gone", ()), *rest)
            case _:
                words[name] = tuple(rest)
    return None


def standing(
    reply: Reply,
) -> Definite[Running | Finished | Died | Stopped | NotStarted] | Unknown:
    """What a reply proves about its run."""
    match reply.state:
        case ("running", size):
            left = read_checkpoint(reply)
            return Definite(Running(output_bytes=_number(size), checkpoint=left))
        case ("done", status, duration, size, digest) if _EXIT_STATUS.fullmatch(status):
            return Definite(_finished(reply, int(status), duration, size, digest))
        case ("stopped", *_):
            usage = read_usage(reply.blobs.get("usage", b""))
            return Definite(Stopped(usage=usage, checkpoint=read_checkpoint(reply)))
        case ("dead", reason):
            return Definite(Died(reason=reason, checkpoint=read_checkpoint(reply)))
        case ("fenced",):
            return Definite(FENCED)
        case ("lost",):
            return NOTHING_LEFT
        case ("stale", *_):
            return Unknown(LostReason.REFUSED, Untrusted("a newer engine uses these runs"))
        case _:
            return _unclear(reply)


def _unclear(reply: Reply) -> Unknown:
    return Unknown(LostReason.BAD_ANSWER, Untrusted(" ".join(reply.state)[:MAX_NOISE_BYTES]))


def _finished(reply: Reply, status: int, duration: str, size: str, digest: str) -> Finished:
    output = reply.blobs.get("out", b"")
    text = output.decode("utf-8", "backslashreplace")
    size_bytes = _number(size)
    said = redact(reply.blobs.get("err", b"").decode("utf-8", "backslashreplace"))
    return Finished(
        ok=status == 0,
        answer=Answer(
            text=Untrusted(redact(text)[:MAX_ANSWER_CHARS]),
            size_bytes=size_bytes,
            sha256=digest,
            truncated=size_bytes > len(output) or len(text) > MAX_ANSWER_CHARS,
        ),
        usage=read_usage(reply.blobs.get("usage", b"")),
        failure=failure_word(status),
        detail=Untrusted(said) if status else NOTHING_SAID,
        duration_ms=max(0, _number(duration)),
        checkpoint=read_checkpoint(reply),
    )


def read_checkpoint(reply: Reply) -> Checkpoint | None:
    """What the program left to continue from; None for what is no whole, plain text."""
    data = reply.blobs.get("checkpoint", b"")
    digest = hashlib.sha256(data).hexdigest()
    if not data or b"\0" in data or reply.words.get("checkpoint") != (digest,):
        return None
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    if len(text) > MAX_CHECKPOINT_CHARS:
        return None
    return Checkpoint(text=Untrusted(text), sha256=digest)


def failure_word(status: int) -> str:
    """A stable word for an exit status as a shell reports it; "" for success."""
    match status:
        case 0:
            return ""
        case 126:
            return "command-not-executable"
        case 127:
            return "command-missing"
        case _ if status > 128:
            return f"signal-{status - 128}"
        case _:
            return f"exit-{status}"


class _UsageFile(msgspec.Struct):
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_usd: float | None = None
    model: str | None = None


def read_usage(data: bytes) -> Usage:
    """The numbers of a ``usage.json``; nothing for one that is missing or not as described."""
    try:
        told = msgspec.json.decode(data, type=_UsageFile)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Usage()
    counts = (
        told.input_tokens,
        told.output_tokens,
        told.cache_read_tokens,
        told.cache_write_tokens,
    )
    cost_usd = told.cost_usd
    if (
        min(counts) < 0
        or max(counts) > MAX_COUNT
        or (cost_usd is not None and not 0 <= cost_usd < 1e6)
    ):
        return Usage()
    return Usage(
        input_tokens=told.input_tokens,
        output_tokens=told.output_tokens,
        cache_read_tokens=told.cache_read_tokens,
        cache_write_tokens=told.cache_write_tokens,
        cost_microusd=None if cost_usd is None else round(cost_usd * 1_000_000),
        model=None if told.model is None else told.model[:200],
    )


def _number(word: str) -> int:
    """A count the host sent; 0 for what is no number or too large to be one."""
    try:
        number = int(word)
    except ValueError:
        return 0
    return number if abs(number) <= MAX_COUNT else 0
