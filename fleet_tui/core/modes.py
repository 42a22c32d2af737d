"""How much an engine can do, in one word: the named states it degrades to instead of guessing.

Two of them follow from the disk and are told by the engine itself, because a ledger that cannot be
written cannot say so; a hold is a decision and stays in the ledger until somebody takes it back.
"""

from enum import StrEnum
from typing import assert_never

import msgspec

from fleet_tui.core.ids import Seq


class EngineMode(StrEnum):
    """How much an engine can do."""

    NORMAL = "normal"
    READ_ONLY = "read-only"
    """The disk is full: it watches and follows, stores nothing, starts nothing, takes nothing."""
    RECOVERY = "recovery"
    """The journal does not say what was written to it: what can be trusted is shown, no more."""
    HOLD = "hold"
    """Stopped from starting anything, by an operator or by its own faults; it watches and takes."""

    @property
    def starts_work(self) -> bool:
        """Whether waiting tasks are given to agents."""
        return self is EngineMode.NORMAL

    @property
    def takes_commands(self) -> bool:
        """Whether what an operator asks for can be stored."""
        return self in (EngineMode.NORMAL, EngineMode.HOLD)

    @property
    def label(self) -> str:
        """The word on screen."""
        return self.value.upper()

    @property
    def meaning(self) -> str:
        """What it means for the fleet, as the end of a sentence."""
        match self:
            case EngineMode.NORMAL:
                return "everything works"
            case EngineMode.READ_ONLY:
                return "nothing can be stored, so nothing is taken or started; work goes on"
            case EngineMode.RECOVERY:
                return "the journal is not trusted, so nothing is taken or started; work goes on"
            case EngineMode.HOLD:
                return "nothing is started; submits are taken and wait; work goes on"
            case _:
                assert_never(self)

    @property
    def way_out(self) -> str:
        """What an operator can do about it."""
        match self:
            case EngineMode.NORMAL:
                return ""
            case EngineMode.READ_ONLY:
                return "make room on the disk; the engine goes on by itself within seconds"
            case EngineMode.RECOVERY:
                return "`fleet-tui verify` says what is wrong, `fleet-tui restore` puts a backup in"
            case EngineMode.HOLD:
                return "`fleet-tui thaw` lets it start work again"
            case _:
                assert_never(self)


class ModeNow(msgspec.Struct, frozen=True, kw_only=True):
    """The mode an engine is in."""

    mode: EngineMode = EngineMode.NORMAL
    reason: str = ""
    """Why; an operator's words may be in it."""
    since_ms: int = 0
    by: str = ""
    """Who decided; empty when the engine did."""
    trusted_seq: Seq | None = None
    """In RECOVERY the last event that can be relied on; None otherwise."""


NORMAL = ModeNow()
