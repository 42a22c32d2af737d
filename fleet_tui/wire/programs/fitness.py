"""Whether a host can take runs, determined by probing instead of by losing one.

Every probe reports whether the tools are there; now and then, and on every new connection, one also
tries everything that a run will need (``rehearse`` in ``wrapper.sh``). Its result holds until the
next time.
"""

import asyncio
from collections.abc import Callable
from typing import assert_never

from fleet_tui.core.agents.vitals import FailureKind, ProbeFailure
from fleet_tui.core.fleet import CommandAgent, LocalAgent
from fleet_tui.core.ids import AgentName
from fleet_tui.core.tasks.codes import NotStartedCode
from fleet_tui.core.tasks.evidence import LostReason, Unknown
from fleet_tui.core.text.untrusted import NOTHING_SAID, Untrusted
from fleet_tui.wire.programs.answers import Unfit, WrapperReply, cannot_work, no_program
from fleet_tui.wire.programs.wrapper import RunWrapper, told_full
from fleet_tui.wire.shell import ChannelFailure, Shell
from fleet_tui.wire.words import words_of

REHEARSE_EVERY_S = 600.0
"""A host that can take runs is tested again after this long."""
REHEARSE_AGAIN_S = 30.0
"""The same for one that cannot, or did not answer."""

DOUBTS: frozenset[str] = frozenset(
    {  # the others are no doubt of the host
        NotStartedCode.NO_HARD_LINKS,
        NotStartedCode.NO_RUN_DIR,
        FailureKind.DISK_FULL,
    }
)
"""Refusals of a start after which the next probe tests again what a run needs."""


def _failed_as(reason: LostReason) -> FailureKind:
    """The kind of failure of a host that did not answer a request."""
    match reason:
        case LostReason.TIMEOUT:
            return FailureKind.TIMEOUT
        case LostReason.CONNECTION_LOST | LostReason.UNREACHABLE:
            return FailureKind.SSH_UNREACHABLE
        case (
            LostReason.BAD_ANSWER
            | LostReason.CANCELLED
            | LostReason.CANNOT_CANCEL
            | LostReason.HUNG
            | LostReason.NO_TRACE
            | LostReason.REFUSED
        ):
            return FailureKind.BAD_ANSWER
        case _:
            assert_never(reason)


class Fitness:
    """Probes the host of one agent that is a program."""

    def __init__(
        self,
        agent: AgentName,
        spec: CommandAgent | LocalAgent,
        wrapper: RunWrapper,
        *,
        timeout_ms: int,
        now_ms: Callable[[], int],
    ) -> None:
        self._agent = agent
        self._spec = spec
        self._wrapper = wrapper
        self._timeout_ms = timeout_ms
        self._now_ms = now_ms
        self._tried_on: Shell | None = None
        self._try_at_s = 0.0
        self._doubts_background = False
        self._unfit: Unfit | None = None
        """Why the host cannot take a run, as far as known."""
        self.runs_ours: bool | None = None
        """Whether the host ran the last probe's command; None where no answer came."""

    def is_due(self, shell: Shell) -> bool:
        """Whether a test of what a run needs is due."""
        return shell is not self._tried_on or asyncio.get_running_loop().time() >= self._try_at_s

    def refused(self, reason: str) -> None:
        """Note that a start was refused there."""
        if reason in DOUBTS:
            self._tried_on = None

    def unfit(self) -> ProbeFailure | None:
        """Why the host cannot take a run; None if it can, as far as known."""
        if self._unfit is None:
            return None
        cause, said, _ = self._unfit
        detail = words_of(f"{self._spec.run_dir}: {said}") if said else NOTHING_SAID
        return ProbeFailure(
            agent=self._agent,
            observed_at_ms=self._now_ms(),
            kind=FailureKind.CANNOT_WORK,
            detail=detail,
            cause=cause,
        )

    async def probe(self, shell: Shell) -> WrapperReply | ProbeFailure:
        """One probe: the host's vitals, or why it takes no work."""
        due = self.is_due(shell)
        found = await self._wrapper.probe(shell, timeout_ms=self._timeout_ms, rehearse=due)
        if due and not isinstance(found, ChannelFailure):
            # Also where no answer came: a slow host must not be tested with every probe.
            self._tried_on = shell
            self._try_at_s = asyncio.get_running_loop().time() + REHEARSE_AGAIN_S
        self.runs_ours = _ran(found)
        match found:
            case ChannelFailure(kind=kind, detail=detail):
                return self.failure(kind, detail)
            case Unknown(reason=reason, detail=detail):
                return self.failure(_failed_as(reason), detail)
            case WrapperReply(state=("ok",)) if (full := told_full(found)) is not None:
                # The failed operation may have failed for lack of space.
                return self.failure(FailureKind.DISK_FULL, full)
            case WrapperReply(
                state=("ok",) | ("missing",) | ("refused", NotStartedCode.NO_RUN_DIR)
            ):
                self._note(found, due)
            case WrapperReply(state=("stale", epoch)):
                told = f"a newer engine (epoch {epoch}) uses {self._spec.run_dir}"
                return self.failure(FailureKind.BAD_ANSWER, words_of(told))
            case WrapperReply():
                told = "its host's answer does not fit the question"
                return self.failure(FailureKind.BAD_ANSWER, words_of(told))
        if (unfit := self.unfit()) is not None:
            return unfit
        if found.state == ("missing",):
            why = words_of(no_program(found, self._spec.command[0]))
            return self.failure(FailureKind.COMMAND_MISSING, why)
        return found

    def _note(self, found: WrapperReply, due: bool) -> None:
        if not due and not found.cannot:
            return
        unfit = cannot_work(found)
        slow = unfit is not None and unfit.may_pass
        if slow and not self._doubts_background:
            # It may only be busy: believed when found twice.
            self._doubts_background, self._tried_on = True, None
            return
        self._doubts_background = slow
        self._unfit = unfit
        wait_s = REHEARSE_EVERY_S if unfit is None else REHEARSE_AGAIN_S
        self._try_at_s = asyncio.get_running_loop().time() + wait_s

    def failure(self, kind: FailureKind, detail: Untrusted = NOTHING_SAID) -> ProbeFailure:
        """A probe that failed."""
        return ProbeFailure(
            agent=self._agent, observed_at_ms=self._now_ms(), kind=kind, detail=detail
        )


def _ran(found: WrapperReply | Unknown | ChannelFailure) -> bool | None:
    match found:
        case WrapperReply():
            return True
        case ChannelFailure() | Unknown(reason=LostReason.BAD_ANSWER):
            return False
        case Unknown():
            return None
