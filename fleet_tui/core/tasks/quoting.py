"""What is told of an attempt: why it ended, and whose words its detail is, its agent's or ours.

Both sorts of detail are kept as untrusted text, for ours often have theirs in them; but nobody is
said to have said what was only noticed here.
"""

from typing import assert_never

from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.core.reason_words import died_words, failed_words, not_started_words
from fleet_tui.core.tasks.evidence import LostReason
from fleet_tui.core.tasks.model import Attempt, AttemptPhase

_OURS = (
    frozenset(kind.value for kind in FailureKind)
    | frozenset(reason.value for reason in LostReason)
    | {"fenced", "engine-replaced", "stale-epoch", "payload-too-large", "payload-not-text"}
)
"""Reasons of attempts that did not start which come from this side, their details included."""


def is_quote(attempt: Attempt) -> bool:
    """Whether ``attempt.detail`` is what the agent said, word for word but for secrets."""
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
    """Why an attempt ended as it did; empty where nobody told. May hold what a remote side said."""
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
