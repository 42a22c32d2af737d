"""Nobody is said to have said what was only noticed here."""

import pytest
from msgspec.structs import replace

from fleet_tui.cli.task_facts import evidence
from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.core.tasks.evidence import (
    Definite,
    Fact,
    Finished,
    LostReason,
    NotStarted,
    Started,
    Unknown,
)
from fleet_tui.core.tasks.model import AttemptPhase
from fleet_tui.core.tasks.quoting import is_quote, reason_of
from fleet_tui.core.text.untrusted import Untrusted
from tests.support.task import PATIENCE_MS, Run

WORDS = Untrusted("some words")


@pytest.mark.parametrize("reason", [r for r in LostReason if r is not LostReason.CANNOT_CANCEL])
def test_what_was_noticed_about_a_connection_is_ours(reason: LostReason) -> None:
    run = Run()
    run.fact(Started())
    run.hear(Unknown(reason, WORDS))
    (attempt,) = run.task.attempts
    assert not is_quote(attempt)
    told = "\n".join(evidence(run.task, run.story.now_ms))
    assert "in detail: some words" in told
    assert "a1 said: some words" not in told


@pytest.mark.parametrize(
    "reason", [*FailureKind, *LostReason, "engine-replaced", "payload-too-large"]
)
def test_why_nothing_was_sent_is_ours(reason: str) -> None:
    run = Run()
    run.fact(NotStarted(reason=str(reason), detail=WORDS))
    assert not is_quote(run.task.attempts[0])


@pytest.mark.parametrize(
    ("phase", "reason", "words"),
    [
        (AttemptPhase.NOT_STARTED, "session-busy", 'its agent says "session-busy"'),
        (AttemptPhase.FAILED, "exit-3", "exit-3"),
        (AttemptPhase.DIED, "the host restarted", "the host restarted"),
        (AttemptPhase.GIVEN_UP, "nothing heard", "nothing heard"),
        (AttemptPhase.FAILED, "", ""),
        (AttemptPhase.SUCCEEDED, "", ""),
    ],
)
def test_why_an_attempt_ended_is_told_in_words(
    phase: AttemptPhase, reason: str, words: str
) -> None:
    assert reason_of(replace(Run().task.attempts[0], phase=phase, reason=reason)) == words


@pytest.mark.parametrize(("ok", "is_its_own"), [(False, True), (True, False)])
def test_a_late_failure_is_quoted(ok: bool, is_its_own: bool) -> None:
    """Words that came with a late success stand beside the reason why it was given up."""
    run = Run()
    run.fact(Started())
    run.hear(Unknown(LostReason.HUNG, Untrusted("words of ours")))
    run.later(PATIENCE_MS)
    (attempt,) = run.task.attempts
    assert attempt.phase is AttemptPhase.GIVEN_UP
    run.hear(Definite(Finished(ok=ok, failure="" if ok else "exit-1", detail=WORDS)))
    (attempt,) = run.task.attempts
    assert attempt.late
    assert is_quote(attempt) is is_its_own


@pytest.mark.parametrize(
    "fact",
    [
        NotStarted(reason="invalid-request", detail=WORDS),
        NotStarted(reason="gateway-suspending", detail=WORDS),
        Finished(ok=False, failure="model-error", detail=WORDS),
    ],
)
def test_a_refusal_and_a_failure_are_quoted(fact: Fact) -> None:
    run = Run()
    run.hear(Definite(fact))
    assert is_quote(run.task.attempts[0])
    told = "\n".join(evidence(run.task, run.story.now_ms))
    assert f"{run.task.attempts[0].agent} said: some words" in told
