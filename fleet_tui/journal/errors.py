"""Why a journal cannot be used.

FleetError
├── JournalError                something is wrong with the journal
│   ├── JournalMissing          there is none
│   ├── JournalDamaged          it does not say any more what was written
│   ├── JournalUnfinished       an engine was killed; the next one completes it
│   ├── RestoreUnfinished       a restore was killed; the next one completes it
│   ├── JournalTooNew           a newer version wrote it
│   ├── JournalUnavailable      the system refused; nothing was stored, a later try may be
│   │   └── JournalFull         the disk has no room
│   ├── JournalFailed           the disk refused; nothing more is written
│   │   ├── EpochLost           another engine took over
│   │   └── StateGone           the state directory went away under a working engine
│   ├── BackupFailed            a copy could not be made or put in place
│   └── BadRecording            a file that is not a recording, or a hostile one
└── Refused
    ├── JournalInUse            another engine owns it
    └── UnsafeDirectory         others could read or change it, or it is on a network disk
"""

from pathlib import Path

import msgspec

from fleet_tui.base.errors import CommandRefused, FleetError
from fleet_tui.core.modes import TROUBLES, Trouble


class JournalError(FleetError):
    """The journal cannot be used."""


class JournalMissing(JournalError):
    """There is no journal here."""


class JournalDamaged(JournalError):
    """The journal does not say any more what was written to it."""

    def __init__(self, where: Path, reason: str, first_bad_seq: int, last_seq: int) -> None:
        """Events ``first_bad_seq`` to ``last_seq`` cannot be trusted; earlier ones can."""
        self.first_bad_seq = first_bad_seq
        self.last_seq = last_seq
        super().__init__(
            f"the journal in {where} is damaged: {reason}"
            f" (events {first_bad_seq} to {last_seq} cannot be trusted)",
            hint="nothing was changed; keep a copy of the directory before doing anything else",
        )


class JournalUnfinished(JournalError):
    """An engine was ended in the middle of a change of this journal."""

    def __init__(self, where: Path) -> None:
        super().__init__(
            f"an engine was ended in the middle of a change of {where}",
            hint="nothing is lost: the next engine takes the change back; start one",
        )


class RestoreUnfinished(JournalError):
    """A restore was ended before the ledger was in its place."""

    def __init__(self, where: Path, copy: Path) -> None:
        """``copy`` is what the restore was making."""
        super().__init__(
            f"a restore of the ledger in {where} was not finished, and no other ledger is there",
            hint="run `fleet-tui restore` again; what was there before it, if anything, is in"
            f" {where}.before-restore-*; an empty ledger begins once {copy} is deleted",
        )


class JournalTooNew(JournalError):
    """A newer version of the program wrote this journal."""

    def __init__(self, where: Path, found: int, known: int) -> None:
        """``found`` is the file's format, ``known`` the newest this version reads."""
        super().__init__(
            f"{where} has journal format {found}, this version knows formats up to {known}",
            hint="use a newer fleet-tui; the file was not changed",
        )


class JournalUnavailable(JournalError):
    """Nothing of this was stored, and the ledger is as it was; a later try may succeed."""

    def __init__(self, trouble: Trouble, message: str = "", *, hint: str = "") -> None:
        """``trouble`` is what the system refuses; its row of the table gives the words that are
        not given here."""
        self.trouble = trouble
        row = TROUBLES[trouble]
        super().__init__(message or row.words, hint=hint or row.advice)


class JournalFull(JournalUnavailable):
    """The disk is full; nothing of this was stored, and the ledger is as it was."""

    def __init__(
        self, message: str = "", *, hint: str = "", trouble: Trouble = Trouble.DISK_FULL
    ) -> None:
        """``trouble`` is DISK_FULL or QUOTA_USED_UP."""
        super().__init__(trouble, message, hint=hint)


class JournalFailed(JournalError):
    """The journal could not be written; nothing more will be written."""

    def __init__(
        self, message: str = "", *, hint: str = "", trouble: Trouble = Trouble.UNCLEAR
    ) -> None:
        """``trouble`` is what the system refused; UNCLEAR where nobody knows."""
        self.trouble = trouble
        super().__init__(message, hint=hint)


class EpochLost(JournalFailed):
    """Another engine took over this ledger."""


class StateGone(JournalFailed):
    """The state directory of a running engine is gone."""

    def __init__(self, where: Path, now: str) -> None:
        """``now`` is what is in its place, in words."""
        super().__init__(
            f"the state directory {where} was removed or moved while its engine worked; {now}",
            hint="the engine ended; running work continues: put the directory back and start the "
            "engine, and it picks up those runs",
            trouble=Trouble.DIRECTORY_GONE,
        )


class BackupFailed(JournalError):
    """The backup could not be made or put in place; nothing was changed."""


class BadRecording(JournalError):
    """The file is not a recording that can be opened."""


class UnsafeDirectory(CommandRefused):
    """The state directory is not safe to use."""


class LockHolder(msgspec.Struct, frozen=True, kw_only=True):
    """Who owns the ledger, as it wrote itself into the lock file."""

    pid: int
    host: str
    since_ms: int


class JournalInUse(CommandRefused):
    """Another engine owns this ledger."""

    def __init__(self, where: Path, holder: LockHolder | None, said: str) -> None:
        """``said`` is the holder in words; ``holder`` None when its lock file cannot be read."""
        self.holder = holder
        super().__init__(
            f"another engine owns the ledger in {where}: {said}",
            hint="attach to it, or stop it first",
        )
