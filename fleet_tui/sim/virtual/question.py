"""Reading what fleet-tui sends to a host, as far as it arrived: see wire/programs/wrapper.py."""

import shlex

import msgspec

from fleet_tui.wire.programs.wrapper import SCRIPT

VALUES = 6
"""Lines after the script: verb, run directory, run id, epoch, tombstone word, and what can be
trusted: the most bytes of a text, the least epoch the directory must have seen, the beginning for
which the run was planned, and the next one."""

START_VALUES = 5
"""Lines after those that a start has: bytes, job bytes, SHA-256, least free KiB, secrets."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One question that arrived well enough to be acted on."""

    verb: str
    run: str
    epoch: int
    tomb: str
    least_epoch: int
    planned: int
    next: int
    age_ms: int = 0
    """How long ago its run was planned."""
    founding_ms: int = 0
    """When the directory had been founded as its engine knew it then; 0 where it did not."""
    size: int = 0
    job_bytes: int = 0
    sha256: str = ""
    least_kb: int = 0
    thorough: bool = False
    """Of a ``look``: it also tries what a run will need."""
    skip: int = 0
    most: int = 0
    """Of a ``kept``: which part of what is there it asks for."""
    body: bytes | None = None
    """What follows a ``start``; None when its lines did not arrive whole."""

    @property
    def program(self) -> str:
        """The name of the program that a ``start`` wants run."""
        assert self.body is not None
        last = self.body[: self.job_bytes].decode().rstrip("\n").rpartition("\n")[2]
        return shlex.split(last)[1]

    @property
    def resume_from(self) -> str:
        """The checkpoint that a ``start`` gives the program; empty where there is none."""
        assert self.body is not None
        words = shlex.split(self.body[: self.job_bytes].decode())
        return words[words.index("printf") + 2] if "printf" in words else ""


def read_question(stdin: bytes) -> Question | None:
    """The question, or None where the script or its first values were cut on the way."""
    if not stdin.startswith(SCRIPT):
        return None
    lines = stdin[len(SCRIPT) :].split(b"\n", VALUES)
    if len(lines) <= VALUES:
        return None
    verb, _, run, epoch, tomb, trust = (line.decode() for line in lines[:VALUES])
    _, least, planned, following, age, founding = trust.split()
    plain = Question(
        verb=verb,
        run=run,
        epoch=int(epoch),
        tomb=tomb,
        least_epoch=int(least),
        planned=int(planned),
        next=int(following),
        age_ms=int(age),
        founding_ms=int(founding),
    )
    if verb == "look":
        _, _, rest = lines[VALUES].partition(b"\n")
        return msgspec.structs.replace(plain, thorough=rest.startswith(b"rehearse\n"))
    if verb == "kept":
        skip, most = lines[VALUES].split()
        return msgspec.structs.replace(plain, skip=int(skip), most=int(most))
    if verb != "start":
        return plain
    facts = lines[VALUES].split(b"\n", START_VALUES)
    if len(facts) <= START_VALUES:
        return plain
    return msgspec.structs.replace(
        plain,
        size=int(facts[0]),
        job_bytes=int(facts[1]),
        sha256=facts[2].decode(),
        least_kb=int(facts[3]),
        body=facts[START_VALUES],
    )


def verb_of(stdin: bytes) -> tuple[str, str]:
    """Verb and run id of a whole question, quickly."""
    end = len(SCRIPT)
    verb, _, run, _ = stdin[end : end + 400].split(b"\n", 3)
    return verb.decode(), run.decode()
