"""Nobody is said to have said what was only noticed here."""

import pytest
from msgspec.structs import replace

from fleet_tui.console.text.document import Pen, Section, plain
from fleet_tui.console.views.tasks.evidence import evidence
from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.core.ids import AgentName, RunId
from fleet_tui.core.tasks.evidence import (
    Answer,
    Checkpoint,
    Definite,
    Fact,
    Finished,
    LostReason,
    NotStarted,
    Started,
    Unknown,
)
from fleet_tui.core.tasks.model import Attempt, AttemptPhase
from fleet_tui.core.tasks.quoting import (
    MAX_NAME_CHARS,
    Known,
    checkpoint_words,
    is_quote,
    known,
    reason_of,
)
from fleet_tui.core.text.firewall import safe_line
from fleet_tui.core.text.untrusted import Untrusted
from tests.support.task import PATIENCE_MS, Run

WORDS = Untrusted("some words")


def shown(run: Run) -> str:
    lines = evidence(run.task, Pen(), run.story.now_ms)
    return "\n".join(plain([Section("", tuple(lines))]))


@pytest.mark.parametrize("reason", [r for r in LostReason if r is not LostReason.CANNOT_CANCEL])
def test_what_was_noticed_about_a_connection_is_ours(reason: LostReason) -> None:
    run = Run()
    run.fact(Started())
    run.hear(Unknown(reason, WORDS))
    (attempt,) = run.task.attempts
    assert not is_quote(attempt)
    told = shown(run)
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
    told = shown(run)
    assert f"{run.task.attempts[0].agent} said: some words" in told


PLANNED = Attempt(
    number=1,
    run_id=RunId("T.1"),
    agent=AgentName("a1"),
    planned_at_ms=1_000,
    phase=AttemptPhase.PLANNED,
    decision=Run().task.attempts[0].decision,
)
MARK = Checkpoint(text=Untrusted("a\ud800b"), sha256="0123456789abcdef")


@pytest.mark.parametrize(
    ("attempt", "told"),
    [
        (PLANNED, [Known(1_000, "sent to a1; its start was never confirmed")]),
        (replace(PLANNED, phase=AttemptPhase.DIED), [Known(1_000, "sent to a1")]),
        (
            replace(PLANNED, agent=AgentName("x" * 100)),
            [
                Known(
                    1_000,
                    (
                        f"sent to {safe_line('x' * 100, MAX_NAME_CHARS)}; its start was never "
                        "confirmed"
                    ),
                )
            ],
        ),
        (replace(PLANNED, started_at_ms=2_000), [Known(2_000, "a1 said that it started")]),
        (
            replace(PLANNED, started_at_ms=2_000, boot_id="0123456789"),
            [Known(2_000, "a1 said that it started, boot 01234567")],
        ),
        (
            replace(
                PLANNED,
                phase=AttemptPhase.UNKNOWN,
                unknown_since_ms=3_000,
                lost=LostReason.UNREACHABLE,
            ),
            [
                Known(1_000, "sent to a1; its start was never confirmed"),
                Known(
                    3_000,
                    f"unknown from here for 6s, and still is: {LostReason.UNREACHABLE.text}",
                    is_news=True,
                ),
            ],
        ),
        (
            replace(
                PLANNED,
                phase=AttemptPhase.GIVEN_UP,
                reason="nothing heard",
                unknown_since_ms=3_000,
                ended_at_ms=5_000,
            ),
            [
                Known(1_000, "sent to a1; its start was never confirmed"),
                Known(3_000, "unknown from here for 2s", is_news=True),
                Known(5_000, "given-up", Untrusted("nothing heard")),
            ],
        ),
        (
            replace(PLANNED, lost=LostReason.TIMEOUT),
            [
                Known(1_000, "sent to a1; its start was never confirmed"),
                Known(
                    None,
                    f"the last question had no answer: {LostReason.TIMEOUT.text}",
                    is_news=True,
                ),
            ],
        ),
    ],
)
def test_what_is_known_of_an_attempt(attempt: Attempt, told: list[Known]) -> None:
    assert list(known(attempt, 9_000)) == told


def test_late_words_and_a_lost_answer_are_news() -> None:
    late = replace(PLANNED, late=True, late_ok=True, answer=Answer(lost=True))
    *_, said, answer = known(late, 9_000)
    assert said == Known(None, f"a1 said since then that it {late.told_late}", is_news=True)
    assert answer == Known(None, "answer", Untrusted(late.answer.loss), is_news=True)


def test_a_checkpoint_is_told_by_its_size_and_digest() -> None:
    assert checkpoint_words(MARK) == "3 B, sha256 0123456789ab"
