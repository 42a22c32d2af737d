"""How much an engine can do: the named modes that it degrades to instead of guessing.

Two of them follow from the disk and are reported by the engine itself, because a ledger that cannot
be written cannot record them; a hold is a decision and stays in the ledger until someone ends it.

:data:`TROUBLES` is the one table of everything the system can refuse: for each trouble the mode,
the text, the advice and whether it ends by itself. Running out of a resource is never damage: only
a ledger that reads back differently from what was written leads to RECOVERY.
"""

import errno
from enum import Enum, StrEnum
from typing import Final, NamedTuple

import msgspec

from fleet_tui.core.ids import Epoch, Seq


class EngineMode(StrEnum):
    """How much an engine can do."""

    NORMAL = "normal"
    READ_ONLY = "read-only"
    """Nothing can be stored now: it monitors, but starts no work and accepts no commands."""
    RECOVERY = "recovery"
    """The journal differs from what was written to it: only what can be trusted is shown."""
    FROZEN = "hold"
    """Starts no work, by an operator's decision or its own faults; it monitors and accepts
    commands. Ledgers and documents keep the value it had first."""

    @property
    def starts_work(self) -> bool:
        """Whether waiting tasks are placed on agents."""
        return self is EngineMode.NORMAL

    @property
    def takes_commands(self) -> bool:
        """Whether operators' commands can be stored."""
        return _MODES[self].takes_commands

    @property
    def label(self) -> str:
        """The word on screen."""
        return self.name.replace("_", "-")

    @property
    def meaning(self) -> str:
        """Its meaning for the fleet, as the end of a sentence."""
        return _MODES[self].meaning

    @property
    def way_out(self) -> str:
        """What an operator can do about it."""
        return _MODES[self].way_out


class _Mode(NamedTuple):
    takes_commands: bool
    meaning: str
    way_out: str


_MODES: Final = {
    EngineMode.NORMAL: _Mode(True, "everything works", ""),
    EngineMode.READ_ONLY: _Mode(
        False,
        "the ledger cannot be written, so no work is accepted or started; running work continues",
        "the engine resumes by itself within seconds once it can write again",
    ),
    EngineMode.RECOVERY: _Mode(
        False,
        "the journal is not trusted, so no work is accepted or started; running work continues",
        "`fleet-tui verify` shows the damage, `fleet-tui restore` restores a backup",
    ),
    EngineMode.FROZEN: _Mode(
        True,
        "no work is started; submitted tasks are queued; running work continues",
        "`fleet-tui thaw` lets it start work",
    ),
}


class Healing(Enum):
    """What ends a trouble."""

    TRY_AGAIN = "try again"
    """Nothing was stored: the same engine tries again within seconds."""
    OPEN_AGAIN = "open again"
    """It is uncertain how much of the last commit is on the disk: the ledger is read and verified
    again."""
    OPERATOR = "operator"
    """Only an operator, who decides what to keep."""


class Trouble(StrEnum):
    """What keeps a ledger from being written or read. The names appear in events."""

    DISK_FULL = "disk-full"
    QUOTA_USED_UP = "quota-used-up"
    FILE_TOO_LARGE = "file-too-large"
    NO_DESCRIPTORS = "no-descriptors"
    NO_SYSTEM_FILES = "no-system-files"
    NO_MEMORY = "no-memory"
    DISK_ERROR = "disk-error"
    READ_ONLY_FILE_SYSTEM = "read-only-file-system"
    NOT_PERMITTED = "not-permitted"
    LOCKED = "locked"
    DIRECTORY_GONE = "directory-gone"
    INTERRUPTED = "interrupted"
    SLOW_DISK = "slow-disk"
    FILES_REPLACED = "files-replaced"
    AGENTS_NOT_PROBED = "agents-not-probed"
    DAMAGED = "damaged"
    UNCLEAR = "unclear"


class TroubleRow(msgspec.Struct, frozen=True, kw_only=True):
    """How an engine handles a trouble."""

    mode: EngineMode
    words: str
    """The problem, as the beginning of a sentence."""
    advice: str
    """What an operator can do, as the end of a sentence. Valid for every program that meets it."""
    healing: Healing
    lacks_room: bool = False
    """Whether disk space ran out: a reserve is kept for that."""
    may_be_damage: bool = False
    """Whether the whole ledger is read to check for damage; no other trouble can damage one."""

    @property
    def way_out(self) -> str:
        """The advice, and what a running engine does then. Not for a program that ends because of
        it."""
        if self.mode is not EngineMode.READ_ONLY:
            return self.advice
        within = "a minute" if self.healing is Healing.OPEN_AGAIN else "seconds"
        return f"{self.advice}; the engine resumes by itself within {within}"


def _waits(
    words: str,
    advice: str,
    healing: Healing = Healing.TRY_AGAIN,
    *,
    lacks_room: bool = False,
    may_be_damage: bool = False,
) -> TroubleRow:
    return TroubleRow(
        mode=EngineMode.READ_ONLY,
        words=words,
        advice=advice,
        healing=healing,
        lacks_room=lacks_room,
        may_be_damage=may_be_damage,
    )


def _works(words: str, advice: str) -> TroubleRow:
    return TroubleRow(mode=EngineMode.NORMAL, words=words, advice=advice, healing=Healing.TRY_AGAIN)


TROUBLES: Final[dict[Trouble, TroubleRow]] = {
    Trouble.DISK_FULL: _waits("the disk is full", "free disk space", lacks_room=True),
    Trouble.QUOTA_USED_UP: _waits(
        "the disk quota of the engine's user is used up",
        "free disk space, or have the quota raised",
        lacks_room=True,
    ),
    Trouble.FILE_TOO_LARGE: _waits(
        "a file has reached its size limit (RLIMIT_FSIZE)",
        "raise `ulimit -f` where the engine is started",
    ),
    Trouble.NO_DESCRIPTORS: _waits(
        "the engine has no file descriptors left",
        "raise `ulimit -n` where the engine is started, or give it fewer agents",
    ),
    Trouble.NO_SYSTEM_FILES: _waits(
        "this machine has no file descriptors left",
        "stop programs that hold many files, or raise fs.file-max",
    ),
    Trouble.NO_MEMORY: _waits(
        "the engine is out of memory", "stop other programs or raise the engine's memory limit"
    ),
    Trouble.DISK_ERROR: _waits(
        "the disk reports errors",
        "check the system log (dmesg) for disk errors, and copy the state directory elsewhere",
        Healing.OPEN_AGAIN,
        may_be_damage=True,
    ),
    Trouble.READ_ONLY_FILE_SYSTEM: _waits(
        "the file system is read-only",
        "check the system log (dmesg) for the reason, and remount it read-write",
    ),
    Trouble.NOT_PERMITTED: _waits(
        "the system denies permission",
        "make the engine's user own the state directory (mode 0700) and its files (mode 0600)",
    ),
    Trouble.LOCKED: _waits(
        "another program holds a lock on the ledger",
        "let that program finish or end it; `fleet-tui backup` copies a ledger without a lock",
    ),
    Trouble.DIRECTORY_GONE: _waits(
        "the state directory or a file of the ledger is gone",
        "put the state directory back where it was",
        Healing.OPEN_AGAIN,
    ),
    Trouble.INTERRUPTED: _waits("a system call was interrupted", "no action is needed"),
    Trouble.SLOW_DISK: _works(
        "the disk is slow", "find out what else uses the disk; every command waits for it"
    ),
    Trouble.FILES_REPLACED: _works(
        "files of the running engine were removed and recreated",
        "find out what deletes files in the state directory (a cleaner of temporary files?)",
    ),
    Trouble.AGENTS_NOT_PROBED: _works(
        "file descriptors run out", "raise `ulimit -n` where the engine is started"
    ),
    Trouble.DAMAGED: TroubleRow(
        mode=EngineMode.RECOVERY,
        words="the journal is damaged",
        advice=EngineMode.RECOVERY.way_out,
        healing=Healing.OPERATOR,
        may_be_damage=True,
    ),
    Trouble.UNCLEAR: _waits(
        "the journal cannot be used now; no damage was found",
        "run `fleet-tui doctor` and check engine.log in the state directory",
        Healing.OPEN_AGAIN,
        may_be_damage=True,
    ),
}
"""For each trouble: mode, words, advice, healing. Only DAMAGED, which needs proof, may end in
RECOVERY or speak of a backup."""

_BY_ERRNO: Final[dict[int, Trouble]] = {
    errno.ENOSPC: Trouble.DISK_FULL,
    errno.EDQUOT: Trouble.QUOTA_USED_UP,
    errno.EFBIG: Trouble.FILE_TOO_LARGE,
    errno.EMFILE: Trouble.NO_DESCRIPTORS,
    errno.ENFILE: Trouble.NO_SYSTEM_FILES,
    errno.ENOMEM: Trouble.NO_MEMORY,
    errno.ENOBUFS: Trouble.NO_MEMORY,
    errno.EIO: Trouble.DISK_ERROR,
    errno.ENXIO: Trouble.DISK_ERROR,
    errno.ENODEV: Trouble.DISK_ERROR,
    errno.ETIMEDOUT: Trouble.DISK_ERROR,
    errno.EROFS: Trouble.READ_ONLY_FILE_SYSTEM,
    errno.EACCES: Trouble.NOT_PERMITTED,
    errno.EPERM: Trouble.NOT_PERMITTED,
    errno.EAGAIN: Trouble.LOCKED,
    errno.EBUSY: Trouble.LOCKED,
    errno.EDEADLK: Trouble.LOCKED,
    errno.ETXTBSY: Trouble.LOCKED,
    errno.ENOLCK: Trouble.LOCKED,
    errno.ENOENT: Trouble.DIRECTORY_GONE,
    errno.ENOTDIR: Trouble.DIRECTORY_GONE,
    errno.ESTALE: Trouble.DIRECTORY_GONE,
    errno.EINTR: Trouble.INTERRUPTED,
}


def trouble_of_errno(number: int | None) -> Trouble:
    """The trouble that an errno of the operating system means for a ledger; UNCLEAR for others."""
    return Trouble.UNCLEAR if number is None else _BY_ERRNO.get(number, Trouble.UNCLEAR)


class ModeNow(msgspec.Struct, frozen=True, kw_only=True):
    """The mode an engine is in."""

    mode: EngineMode = EngineMode.NORMAL
    reason: str = ""
    """Why; an operator's words may be in it."""
    since_ms: int = 0
    by: str = ""
    """Who decided; empty when the engine did."""
    trusted_seq: Seq | None = None
    """In RECOVERY the last event that can be trusted; None otherwise."""
    trouble: Trouble | None = None
    """The trouble behind it; None when the mode has another reason."""

    @property
    def way_out(self) -> str:
        """What an operator can do about it."""
        return self.mode.way_out if self.trouble is None else TROUBLES[self.trouble].way_out


NORMAL = ModeNow()


class EngineState(msgspec.Struct, frozen=True, kw_only=True):
    """The engine that wrote last."""

    epoch: Epoch = Epoch(0)
    version: str = ""
    pid: int = 0
    started_at_ms: int = 0
    stopped_at_ms: int | None = None
    mode: ModeNow = NORMAL
    """Its mode according to the ledger, which may lack a full disk or a damaged journal."""
    file_problem: str = ""
    """Why the newest fleet file was not loaded; empty when it was."""
    troubles: dict[Trouble, str] = {}
    """The resources that it lacks while it works, in words."""
