"""Parses the run wrapper's answers strictly: an answer is complete and unambiguous, or it proves
nothing.

    fleet-protocol: 1                  what login files print before it is skipped
    boot ID                            then, in any order and each at most once:
    epoch NEWEST BEGINNING             see :class:`fleet_tui.wire.programs.wrapper.RunDirectory`
    state WORD ...                     exactly one, see _STATES
    exists, buried                     a start found the run there; its tombstone was left
    suspended                          of "running": its program is stopped (SIGSTOP)
    ended exit|signal|unsure           how a run of which there is an exit status ended
    output lost                        what it printed is not there any more
    checkpoint SHA256                  of the blob of that name
    blob out|err|usage|checkpoint N    then N bytes and a line feed
    cannot CODE ...                    any number: what the host cannot do for runs
    why CODE ...                       of "missing": why the program cannot be executed
    gone RUN                           any number
    kept RUN                           any number, of "kept": there is something of the run
    time, disk, inodes, load, cpu, MemTotal:, MemAvailable:    numbers, for what they are worth
    end                                and nothing after it

A correct wrapper never sends inconsistent parts: it hashes again what it sends and reports "output
lost" where that differs from what the run printed. So a wrong hash is not damage but forgery, or
something else that answers in the wrapper's place, and it proves nothing.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.core.tasks.codes import FailedCode, NotStartedCode, not_started_words
from fleet_tui.core.tasks.evidence import (
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
    Stopped,
    Unknown,
    Usage,
    microusd,
)
from fleet_tui.core.text.untrusted import NOTHING_SAID, Untrusted
from fleet_tui.wire.numbers import COUNT as _COUNT
from fleet_tui.wire.numbers import MAX_COUNT, finite, written_count
from fleet_tui.wire.shell import Completed
from fleet_tui.wire.words import LOOK_BACK_BYTES, beginning, end_of, words_of

PROTOCOL = b"fleet-protocol: 1\n"
MAX_NOISE_BYTES = 65_536
"""What a host may print before the first line of the protocol (MOTD, login files), and after the
last (what a login file has the shell do at its end)."""
TEXT_BYTES = max(MAX_ANSWER_CHARS, MAX_CHECKPOINT_CHARS) * 4
"""The most that is sent of an answer or a checkpoint: UTF-8 has at most four bytes a character."""
ERR_BYTES = 2_000
USAGE_BYTES = 4_096
"""The most that is sent of a program's stderr, and of its usage.json."""
MAX_SAID_CHARS = 300
"""Of output that a host printed in place of an answer."""
MAX_LINE_BYTES = 1_024
"""No line of an answer is longer, blobs aside."""
MAX_GONE = 100_000
"""Runs that one answer may list as deleted, or as present."""
MAX_CANNOT = 64

MAX_TOOK_MS = 10 * 366 * 86_400_000
"""No run took longer than ten years."""
MAX_SIGNAL = 64
"""Linux has signals 1 to 64, other systems fewer."""

FENCED = NotStarted(reason=NotStartedCode.FENCED, fenced=True)
"""It never started, and a tombstone prevents a late start."""

NOTHING_LEFT = Unknown(
    LostReason.NO_TRACE,
    Untrusted("its run directory was deleted or restored: it may have run"),
)

REFUSALS: frozenset[str] = frozenset(
    {  # as the script says them; the other codes are said of starts elsewhere
        NotStartedCode.BAD_ID,
        NotStartedCode.DAMAGED,
        FailureKind.DISK_FULL,
        NotStartedCode.NO_HARD_LINKS,
        NotStartedCode.NO_RUN_DIR,
        NotStartedCode.RUN_DIR_BEGAN_ANEW,
        NotStartedCode.SHORT,
    }
)
"""Why a host refuses a start."""

CANNOT: Mapping[str, str] = {
    "use": "its run_dir cannot be made, or nothing may be written to it",
    "make": "no directory can be made in its run_dir",
    "write": "nothing can be written to its run_dir",
    "link": "its run_dir has no hard links",
    "link-once": "a hard link in its run_dir replaces what is there",
    "rename": "nothing can be renamed in its run_dir",
    "measure": "how much room its run_dir has is not told by its host",
    "hash": "its host's tool for SHA-256 gives wrong sums",
    "inodes": "the disk of its run_dir has no room for more files (inodes)",
    "stop": "a run could not be stopped there: its host has neither setsid nor perl",
    "background": "no process can be left running there",
}
"""What a host may be unable to do, apart from missing tools."""

NO_PROGRAM: Mapping[str, str] = {
    "absent": "is not there",
    "directory": "is a directory",
    "special": "is not a regular file",
    "mode": "may not be executed: its execute bit is not set",
    "denied": "may not be executed by the user who would run it",
    "noexec": "lies below {0}, where nothing may be executed (mounted with noexec)",
    "interpreter": "cannot be executed without {0}, which its first line names and is not there",
    "return": "ends its first line with a carriage return, so no interpreter is found",
    "loader": "needs {0}, which is not there: it was built for another system",
    "machine": "was built for {0}, its host has {1}",
    "format": "was built for another system",
}
"""Why a program cannot be executed, with the sentence for it."""

MACHINES: Mapping[str, str] = {
    "2": "SPARC",
    "3": "x86",
    "8": "MIPS",
    "20": "PowerPC",
    "21": "64-bit PowerPC",
    "22": "S/390",
    "40": "ARM",
    "43": "64-bit SPARC",
    "62": "x86-64",
    "183": "64-bit ARM",
    "243": "RISC-V",
    "258": "LoongArch",
}
"""Kinds of processors by their numbers in ELF headers (``e_machine`` in elf.h)."""

_RUN = re.compile(r"[0-9A-Za-z_][0-9A-Za-z._-]{0,127}")
_STATUS = r"(?:0|[1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-5])"
_ENDED = rf"{_STATUS} (?:-|{_COUNT}) (?:{_COUNT} [0-9a-f]{{64}}|- -)"
_STATES = re.compile(
    rf"running {_COUNT}|done {_ENDED}|stopped(?: {_ENDED})?|dead (?:host-rebooted|process-gone)"
    rf"|fenced|lost|stale {_COUNT}|failed (?:no-owner|no-result)|refused (?:{'|'.join(REFUSALS)})"
    rf"|ok|missing|collected|kept {_COUNT}"
)
_LINES: Mapping[str, re.Pattern[str]] = {
    "boot": re.compile(r"[0-9A-Za-z._:-]{1,128}"),
    "epoch": re.compile(rf"{_COUNT} {_COUNT}(?: {_COUNT})?"),
    "state": _STATES,
    "exists": re.compile(""),
    "buried": re.compile(""),
    "suspended": re.compile(""),
    "ended": re.compile("exit|signal|unsure"),
    "output": re.compile("lost"),
    "why": re.compile(rf"(?:{'|'.join(NO_PROGRAM)})(?: .*)?"),
    "checkpoint": re.compile("[0-9a-f]{64}"),
    # Vitals are checked one by one: nothing depends on them.
    "time": re.compile(".*"),
    "disk": re.compile(".*"),
    "inodes": re.compile(".*"),
    "load": re.compile(".*"),
    "cpu": re.compile(".*"),
    "MemTotal:": re.compile(".*"),
    "MemAvailable:": re.compile(".*"),
}
_MANY: Mapping[str, tuple[re.Pattern[str], int]] = {
    "gone": (_RUN, MAX_GONE),
    "kept": (_RUN, MAX_GONE),
    "cannot": (re.compile(rf"tool [a-z0-9]{{1,20}}|(?:{'|'.join(CANNOT)})(?: .*)?"), MAX_CANNOT),
}
_BLOBS: Mapping[str, int] = {
    "out": TEXT_BYTES,
    "err": ERR_BYTES,
    "usage": USAGE_BYTES,
    "checkpoint": TEXT_BYTES,
}
_OURS = frozenset(
    name.encode() for name in (*_LINES, *_MANY, "blob", "end", PROTOCOL.decode().split()[0])
)
"""How a line of an answer begins."""
_BELONGS: Mapping[str, frozenset[str]] = {
    "running": frozenset({"checkpoint"}),
    "done": frozenset({"out", "err", "usage", "checkpoint"}),
    "stopped": frozenset({"out", "err", "usage", "checkpoint"}),
    "dead": frozenset({"err", "checkpoint"}),
}
"""The blobs allowed with each state; none with any other."""

_NOT_OURS = re.compile(rb"[^ -~]")
"""The wrapper's words are plain ASCII; they are used in reasons, which count as our own text."""


class WrapperReply(msgspec.Struct, frozen=True):
    """A complete answer of the wrapper."""

    state: tuple[str, ...]
    """The words after ``state``; the first is the state."""
    words: dict[str, tuple[str, ...]]
    blobs: dict[str, bytes]
    cannot: tuple[tuple[str, str], ...] = ()
    """What the host cannot do for runs: a code, and the output of its tools."""

    @property
    def ended(self) -> bool:
        """Whether it has an exit status."""
        return len(self.state) == 5 and self.state[0] in ("done", "stopped")

    def number(self, name: str) -> float | None:
        """The number after a word; None where there is no valid one."""
        try:
            return finite(float(self.words[name][0]))
        except (KeyError, IndexError, ValueError):
            return None


class _Wrong(Exception):
    """The fault of an answer, in words."""


def read_reply(result: Definite[Completed] | Unknown) -> WrapperReply | Unknown:
    """The wrapper's answer, or Unknown with the fault for anything but a complete one."""
    if isinstance(result, Unknown):
        return result
    output = result.value.stdout
    at = output.find(PROTOCOL, 0, MAX_NOISE_BYTES + len(PROTOCOL))
    if at < 0 and PROTOCOL in output:
        most = MAX_NOISE_BYTES // 1_024
        return _no_answer(f"its host's login files print more than {most} KiB before the answer")
    if at < 0:
        return _no_answer(_not_the_script(result.value))
    try:
        return _parse(output, at + len(PROTOCOL))
    except _Wrong as wrong:
        return _no_answer(f"its host's answer proves nothing: {wrong}")


def _no_answer(detail: str) -> Unknown:
    return Unknown(LostReason.BAD_ANSWER, words_of(detail))


def _not_the_script(ran: Completed) -> str:
    said = (ran.stderr.strip() or ran.stdout.strip())[-LOOK_BACK_BYTES:]
    how = f"exit status {ran.exit_status}"
    if ran.exit_status < 0:
        how = f"signal {-ran.exit_status}"
    did = f"its host did not run the script that was sent ({how})"
    if not said:
        return f"{did} and printed nothing"
    return f"{did} but printed: {end_of(said, LOOK_BACK_BYTES)[-MAX_SAID_CHARS:]}"


def _parse(output: bytes, at: int) -> WrapperReply:
    words: dict[str, tuple[str, ...]] = {}
    many: dict[str, list[str]] = {name: [] for name in _MANY}
    blobs: dict[str, bytes] = {}
    while (end := output.find(b"\n", at, at + MAX_LINE_BYTES)) >= 0:
        line = output[at:end]
        at = end + 1
        name, _, rest = _NOT_OURS.sub(b"?", line).decode("ascii").partition(" ")
        if line == b"end":
            if not _is_noise(output[at:]):
                raise _Wrong("something follows its end")
            return _whole(words, many, blobs)
        if name == "blob":
            label, length = _blob(rest)
            if label in blobs:
                raise _Wrong(f"it gives {label} twice")
            blobs[label] = output[at : at + length]
            at += length + 1
            if len(blobs[label]) != length or output[at - 1 : at] != b"\n":
                raise _Wrong(f"{label} is not as long as it says")
        elif name in many:
            grammar, most = _MANY[name]
            if not grammar.fullmatch(rest) or len(many[name]) >= most:
                raise _Wrong(f'the line "{name}" is not as it must be')
            many[name].append(rest)
        elif name in words:
            raise _Wrong(f'it says "{name}" twice')
        elif name not in _LINES or not _LINES[name].fullmatch(rest):
            raise _Wrong(f'a line "{_plain(name, rest)}" has no meaning here')
        else:
            words[name] = tuple(rest.split())
    raise _Wrong("it is not complete")


def _is_noise(said: bytes) -> bool:
    """Whether none of it can be part of an answer."""
    if len(said) > MAX_NOISE_BYTES:
        return False
    return not any(line.split(b" ", 1)[0].strip() in _OURS for line in said.splitlines())


def _plain(name: str, rest: str) -> str:
    return beginning(f"{name} {rest}".strip(), 80)


def _blob(rest: str) -> tuple[str, int]:
    label, _, said = rest.partition(" ")
    length = written_count(said)
    if label not in _BLOBS or length is None:
        raise _Wrong(f'a line "{_plain("blob", rest)}" has no meaning here')
    if length > _BLOBS[label]:
        raise _Wrong(f"{label} is longer than may be")
    return label, length


def _whole(
    words: dict[str, tuple[str, ...]], many: dict[str, list[str]], blobs: dict[str, bytes]
) -> WrapperReply:
    """The answer, if its parts are consistent."""
    state = words.get("state")
    if not state:
        raise _Wrong("it does not say how things stand")
    words |= {name: tuple(many[name]) for name in ("gone", "kept") if many.get(name)}
    cannot = tuple((code, said) for code, _, said in (c.partition(" ") for c in many["cannot"]))
    reply = WrapperReply(state, words, blobs, cannot)
    if strange := blobs.keys() - _BELONGS.get(state[0], frozenset()):
        raise _Wrong(f"{min(strange)} does not belong to {state[0]}")
    if "suspended" in words and state[0] != "running":
        raise _Wrong(f"suspended does not belong to {state[0]}")
    if "why" in words and state[0] != "missing":
        raise _Wrong(f"why does not belong to {state[0]}")
    if not reply.ended:
        if "out" in blobs or "output" in words or "ended" in words:
            raise _Wrong(f"an end does not belong to {state[0]}")
    else:
        _check_end(reply)
    return reply


def _check_end(reply: WrapperReply) -> None:
    """Whether a run's output matches the count and hash taken when it ended."""
    _, status, took, size, digest = reply.state
    if reply.words.get("ended") == ("signal",) and not 1 <= int(status) - 128 <= MAX_SIGNAL:
        raise _Wrong("there is no such signal")
    output = reply.blobs.get("out")
    if took != "-" and int(took) > MAX_TOOK_MS:
        raise _Wrong("a run cannot have taken so long")
    if (output is None) != ("output" in reply.words) or (size == "-" and output is not None):
        raise _Wrong("it does not report the outcome of the output")
    if output is None:
        return
    if len(output) != min(int(size), TEXT_BYTES):
        raise _Wrong("the output is not as long as it says")
    if int(size) == len(output) and hashlib.sha256(output).hexdigest() != digest:
        raise _Wrong("the output does not have the SHA-256 that it says")


class Unfit(NamedTuple):
    """Why a host cannot take a run."""

    cause: str
    """In our own words."""
    said: str = ""
    """The output of its tools: may be empty, and is untrusted."""
    may_pass: bool = False
    """Whether the cause may be temporary, such as load."""


def cannot_work(reply: WrapperReply) -> Unfit | None:
    """Why the host cannot take a run; None if it can."""
    tools = [said for code, said in reply.cannot if code == "tool"]
    if tools:
        return Unfit(f"its host has no {', '.join(tools)}")
    for code, said in reply.cannot:
        return Unfit(CANNOT[code], said, may_pass=code == "background")
    if reply.state == ("refused", NotStartedCode.NO_RUN_DIR):
        return Unfit(CANNOT["use"])
    return None


def no_program(reply: WrapperReply, program: str) -> str:
    """Why a program cannot be executed, as a sentence about it."""
    code, *told = reply.words.get("why", ("absent",))
    if code == "absent" and "/" not in program:
        return f"{program} is not on the host's PATH"
    if code == "machine":
        told = [MACHINES.get(number, f"a processor of kind {number}") for number in told]
    else:
        told = [" ".join(told)]
    text = NO_PROGRAM[code]
    for at, word in enumerate(told):
        text = text.replace(f"{{{at}}}", word)
    return f"{program} {text}"


def inspection_of(
    reply: WrapperReply,
) -> Definite[Running | Finished | Died | Stopped | NotStarted] | Unknown:
    """The evidence about its run in a reply."""
    match reply.state:
        case ("running", size):
            left = read_checkpoint(reply)
            stopped = "suspended" in reply.words
            return Definite(Running(output_bytes=int(size), checkpoint=left, suspended=stopped))
        case ("done", status, took, size, digest):
            return Definite(_finished(reply, int(status), took, size, digest))
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
        case _:  # states that answer other verbs, or give the reason for no answer
            return unclear(reply)


def unclear(reply: WrapperReply) -> Unknown:
    """An answer without evidence about a run, in words."""
    match reply.state:
        case ("failed", "no-owner"):
            told = "its host cannot write down that the run shall not start: it may still start"
        case ("failed", "no-result"):
            told = "the run ended, but what its host wrote down about the end cannot be read"
        case ("refused", reason):
            told = f"its host refuses to say anything about the run: {refusal_words(reason)}"
        case _:  # a state that answers another verb
            told = f"its host's answer does not fit the question ({reply.state[0]})"
    return _no_answer(told)


def refusal_words(reason: str) -> str:
    """A refusal for people."""
    return not_started_words(reason)


def _finished(reply: WrapperReply, status: int, took: str, size: str, digest: str) -> Finished:
    output = reply.blobs.get("out", b"")
    text = output.decode("utf-8", "backslashreplace")
    lost = "output" in reply.words
    known = size != "-"
    size_bytes = int(size) if known else 0
    said = end_of(reply.blobs.get("err", b""), ERR_BYTES)
    return Finished(
        ok=status == 0,
        answer=Answer(
            text=words_of(text, MAX_ANSWER_CHARS),
            size_bytes=size_bytes,
            sha256=digest if known else "",
            truncated=not lost and (size_bytes > len(output) or len(text) > MAX_ANSWER_CHARS),
            lost=lost,
        ),
        usage=read_usage(reply.blobs.get("usage", b"")),
        failure=failure_word(status, *reply.words.get("ended", ("unsure",))),
        detail=words_of(said, ERR_BYTES) if status else NOTHING_SAID,
        duration_ms=None if took == "-" else int(took),
        checkpoint=read_checkpoint(reply),
    )


def read_checkpoint(reply: WrapperReply) -> Checkpoint | None:
    """The checkpoint that the program left; None for anything but complete plain text."""
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


def failure_word(status: int, how: str = "unsure") -> str:
    """The failure code for a program's end, "" for success.

    ``status`` is as a shell reports it, 128 and the number for a signal. ``how`` is ``exit`` or
    ``signal``; where a host cannot tell (``unsure``), 128 and the number of a signal that exists
    is taken for one.
    """
    match status:
        case 0:
            return ""
        case 126:
            return FailedCode.COMMAND_NOT_EXECUTABLE
        case 127:
            return FailedCode.COMMAND_MISSING
        case _ if how != "exit" and 1 <= status - 128 <= MAX_SIGNAL:
            return f"signal-{status - 128}"
        case _:  # every other number is an exit status
            return f"exit-{status}"


class _UsageFile(msgspec.Struct):
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_usd: float | None = None
    model: str | None = None


def _agreeing(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A JSON object. Raises ValueError where one key has two different values."""
    said: dict[str, object] = {}
    for key, value in pairs:
        if said.setdefault(key, value) != value:
            raise ValueError(key)
    return said


def read_usage(data: bytes) -> Usage:
    """The numbers of a ``usage.json``; none for a missing one, and unusable for an invalid one, or
    one that has a key twice with different values."""
    if not data.strip():
        return Usage()
    try:
        json.loads(data, object_pairs_hook=_agreeing)
        told = msgspec.json.decode(data, type=_UsageFile)
    except (ValueError, RecursionError):  # of msgspec and of json
        return Usage(unusable=True)
    counts = (
        told.input_tokens,
        told.output_tokens,
        told.cache_read_tokens,
        told.cache_write_tokens,
    )
    cost = None if told.cost_usd is None else microusd(told.cost_usd)
    if min(counts) < 0 or max(counts) > MAX_COUNT or (cost is None and told.cost_usd is not None):
        return Usage(unusable=True)
    return Usage(
        input_tokens=told.input_tokens,
        output_tokens=told.output_tokens,
        cache_read_tokens=told.cache_read_tokens,
        cache_write_tokens=told.cache_write_tokens,
        cost_microusd=cost,
        model=None if told.model is None else beginning(told.model, 200),
    )
