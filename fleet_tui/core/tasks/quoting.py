"""The evidence shown for an attempt: why it ended, and whether its detail is its agent's text or
ours.

Both kinds of detail are kept as untrusted text, because ours often contains theirs; but text that
was only noticed here is never attributed to the agent.
"""

from collections.abc import Iterator
from typing import NamedTuple, assert_never

from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.core.tasks.codes import (
    NotStartedCode,
    died_words,
    failed_words,
    not_started_words,
)
from fleet_tui.core.tasks.evidence import Checkpoint, LostReason
from fleet_tui.core.tasks.model import Attempt, AttemptPhase
from fleet_tui.core.text import words
from fleet_tui.core.text.firewall import safe_line
from fleet_tui.core.text.untrusted import NOTHING_SAID, Untrusted

MAX_NAME_CHARS = 64
MARK_CHARS = 8
"""Of a boot id, which is long and only needs to be compared."""
DIGEST_CHARS = 12

_OURS = (
    frozenset(kind.value for kind in FailureKind)
    | frozenset(reason.value for reason in LostReason)
    | frozenset(code.value for code in NotStartedCode if code.is_noticed_here)
)
"""Reasons for not starting that were determined on this side, with their details."""


def is_quote(attempt: Attempt) -> bool:
    """Whether ``attempt.detail`` is the agent's own text, verbatim except for secrets."""
    if attempt.late and attempt.late_failure:
        return True
    match attempt.phase:
        case AttemptPhase.FAILED:
            return True
        case AttemptPhase.NOT_STARTED | AttemptPhase.FENCED:
            return attempt.reason not in _OURS
        case (
            AttemptPhase.PLANNED
            | AttemptPhase.RUNNING
            | AttemptPhase.UNKNOWN
            | AttemptPhase.CANCELLING
            | AttemptPhase.DIED
            | AttemptPhase.GIVEN_UP
            | AttemptPhase.SUCCEEDED
            | AttemptPhase.CANCELLED
            | AttemptPhase.TIMED_OUT
        ):
            return False
        case _:
            assert_never(attempt.phase)


def reason_of(attempt: Attempt) -> str:
    """Why an attempt ended as it did; empty where unknown. May contain remote text."""
    if not attempt.reason:
        return ""
    match attempt.phase:
        case AttemptPhase.NOT_STARTED | AttemptPhase.FENCED:
            return not_started_words(attempt.reason)
        case AttemptPhase.FAILED:
            return failed_words(attempt.reason)
        case AttemptPhase.DIED:
            return died_words(attempt.reason)
        case (
            AttemptPhase.PLANNED
            | AttemptPhase.RUNNING
            | AttemptPhase.UNKNOWN
            | AttemptPhase.CANCELLING
            | AttemptPhase.GIVEN_UP
            | AttemptPhase.SUCCEEDED
            | AttemptPhase.CANCELLED
            | AttemptPhase.TIMED_OUT
        ):
            return attempt.reason
        case _:
            assert_never(attempt.phase)


class Known(NamedTuple):
    """One fact known about an attempt; verdicts are based on these."""

    at_ms: int | None
    """When it was learned; None where that was not recorded."""
    text: str
    """Our words, safe to show."""
    said: Untrusted = NOTHING_SAID
    """The quoted text after it and a colon; may be empty."""
    is_news: bool = False
    """Whether it resolves something that was unknown for a while."""


def known(attempt: Attempt, now_ms: int) -> Iterator[Known]:
    """The facts learned about an attempt, with their instants and sources, without its answer."""
    agent = safe_line(attempt.agent, MAX_NAME_CHARS)
    if attempt.started_at_ms is None:
        silent = "" if attempt.phase is AttemptPhase.DIED else "; its start was never confirmed"
        yield Known(attempt.planned_at_ms, f"sent to {agent}{silent}")
    else:
        boot = f", boot {safe_line(attempt.boot_id)[:MARK_CHARS]}" if attempt.boot_id else ""
        yield Known(attempt.started_at_ms, f"{agent} said that it started{boot}")
    if attempt.resumed_by_agent:
        yield Known(None, f"{agent} resumed it by itself after a crash")
    if attempt.checkpoint is not None:
        yield Known(None, f"{agent} left a checkpoint: {checkpoint_words(attempt.checkpoint)}")
    if attempt.unknown_since_ms is not None:
        lost = f": {attempt.lost.text}" if attempt.lost is not None else ""
        span = words.age(attempt.unknown_since_ms, attempt.ended_at_ms or now_ms)
        still = ", and still is" if attempt.phase is AttemptPhase.UNKNOWN else ""
        text = f"unknown from here for {span}{still}{lost}"
        yield Known(attempt.unknown_since_ms, text, is_news=True)
    elif attempt.lost is not None:
        text = f"the last question had no answer: {attempt.lost.text}"
        yield Known(None, text, is_news=True)
    if attempt.detail:
        whose = f"{agent} said" if is_quote(attempt) else "in detail"
        yield Known(None, whose, attempt.detail)
    if attempt.ended_at_ms is not None:
        yield Known(attempt.ended_at_ms, attempt.phase.value, Untrusted(reason_of(attempt)))
    if said := attempt.told_late:
        text = f"{agent} said since then that it {safe_line(said)}"
        yield Known(None, text, is_news=True)
    if attempt.answer.lost:
        yield Known(None, "answer", Untrusted(attempt.answer.loss), is_news=True)


def checkpoint_words(found: Checkpoint) -> str:
    """``12 B, sha256 0123456789ab``."""
    size = words.size(len(found.text.raw.encode(errors="replace")))
    return f"{size}, sha256 {safe_line(found.sha256[:DIGEST_CHARS])}"
