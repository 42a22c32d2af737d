"""Nobody is said to have said what was only noticed here."""

import pytest

from fleet_tui.cli.task_facts import evidence
from fleet_tui.core.evidence import (
    Definite,
    Fact,
    Finished,
    LostReason,
    NotStarted,
    Started,
    Unknown,
)
from fleet_tui.core.quoting import is_quote
from fleet_tui.core.untrusted import Untrusted
from fleet_tui.core.vitals import FailureKind
from tests.support.task import Run

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
