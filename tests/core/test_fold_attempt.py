"""What each fact changes of an attempt, and that it changes nothing else."""

import pytest
from msgspec.structs import replace

from fleet_tui.core.agents.vitals import ModelTrouble
from fleet_tui.core.ids import AgentName, RunId
from fleet_tui.core.tasks.events import (
    AttemptCancelling,
    AttemptCancelRefused,
    AttemptCheckpointed,
    AttemptDied,
    AttemptEvent,
    AttemptFinished,
    AttemptGivenUp,
    AttemptLate,
    AttemptNotStarted,
    AttemptSeen,
    AttemptStarted,
    AttemptStopped,
    AttemptSuspended,
    AttemptTold,
    AttemptTroubled,
    AttemptUnknown,
)
from fleet_tui.core.tasks.evidence import Answer, Blame, Checkpoint, LateWord, LostReason, Usage
from fleet_tui.core.tasks.fold_attempt import next_attempt
from fleet_tui.core.tasks.model import Attempt, AttemptPhase, CancelCause
from fleet_tui.core.text.untrusted import Untrusted
from tests.support.task import Run

RUN = RunId("T.1")
NOW_MS = 9_000
SAID = Untrusted("what its agent says")
SAID_BEFORE = Untrusted("what its agent said before")
ANSWER = Answer(text=Untrusted("42"))
USAGE = Usage(input_tokens=5, output_tokens=7)
MARK = Checkpoint(text=Untrusted("page 1"), sha256="ab")
TROUBLE = ModelTrouble(reason="rate limit", attempt=2, of=8)

PLANNED = Attempt(
    run_id=RUN,
    number=1,
    agent=AgentName("a1"),
    phase=AttemptPhase.PLANNED,
    planned_at_ms=1_000,
    decision=Run().task.attempts[0].decision,
    detail=SAID_BEFORE,
)
RUNNING = replace(PLANNED, phase=AttemptPhase.RUNNING, started_at_ms=2_000, boot_id="boot-1")
UNKNOWN = replace(
    RUNNING,
    phase=AttemptPhase.UNKNOWN,
    unknown_since_ms=3_000,
    lost=LostReason.TIMEOUT,
    resumed_by_agent=True,
)
STOPPING = replace(UNKNOWN, cancel_cause=CancelCause.DEADLINE)
GIVEN_UP = replace(
    RUNNING, phase=AttemptPhase.GIVEN_UP, ended_at_ms=4_000, reason="nothing heard of it"
)
COURSE: list[tuple[Attempt, AttemptEvent, Attempt]] = [
    (
        PLANNED,
        AttemptStarted(run=RUN, boot_id="boot-2"),
        replace(PLANNED, phase=AttemptPhase.RUNNING, started_at_ms=NOW_MS, boot_id="boot-2"),
    ),
    (
        UNKNOWN,
        AttemptStarted(run=RUN),
        replace(UNKNOWN, phase=AttemptPhase.RUNNING, unknown_since_ms=None, lost=None),
    ),
    (
        STOPPING,
        AttemptStarted(run=RUN),
        replace(STOPPING, phase=AttemptPhase.CANCELLING, unknown_since_ms=None, lost=None),
    ),
    (
        UNKNOWN,
        AttemptSeen(run=RUN),
        replace(UNKNOWN, phase=AttemptPhase.RUNNING, unknown_since_ms=None, lost=None),
    ),
    (RUNNING, AttemptSeen(run=RUN), RUNNING),
    (
        RUNNING,
        AttemptSeen(run=RUN, resumed_by_agent=True),
        replace(RUNNING, resumed_by_agent=True),
    ),
    (
        RUNNING,
        AttemptUnknown(run=RUN, reason=LostReason.HUNG, detail=SAID),
        replace(
            RUNNING,
            phase=AttemptPhase.UNKNOWN,
            unknown_since_ms=NOW_MS,
            lost=LostReason.HUNG,
            detail=SAID,
        ),
    ),
    (
        UNKNOWN,
        AttemptUnknown(run=RUN, reason=LostReason.HUNG),
        replace(UNKNOWN, lost=LostReason.HUNG, detail=Untrusted("")),
    ),
    (
        PLANNED,
        AttemptNotStarted(run=RUN, reason="queue-full", detail=SAID, blame=Blame.AGENT),
        replace(
            PLANNED,
            phase=AttemptPhase.NOT_STARTED,
            ended_at_ms=NOW_MS,
            reason="queue-full",
            detail=SAID,
            blame=Blame.AGENT,
        ),
    ),
    (
        UNKNOWN,
        AttemptNotStarted(run=RUN, reason="fenced", fenced=True),
        replace(
            UNKNOWN,
            phase=AttemptPhase.FENCED,
            ended_at_ms=NOW_MS,
            unknown_since_ms=None,
            reason="fenced",
            detail=Untrusted(""),
        ),
    ),
    (
        RUNNING,
        AttemptCheckpointed(run=RUN, checkpoint=MARK),
        replace(RUNNING, checkpoint=MARK),
    ),
    (
        UNKNOWN,
        AttemptDied(run=RUN, reason="process-gone"),
        replace(
            UNKNOWN,
            phase=AttemptPhase.DIED,
            ended_at_ms=NOW_MS,
            unknown_since_ms=None,
            reason="process-gone",
        ),
    ),
    (
        UNKNOWN,
        AttemptGivenUp(run=RUN, reason="nothing heard"),
        replace(
            UNKNOWN,
            phase=AttemptPhase.GIVEN_UP,
            ended_at_ms=NOW_MS,
            unknown_since_ms=None,
            reason="nothing heard",
        ),
    ),
    (
        RUNNING,
        AttemptCancelling(run=RUN, cause=CancelCause.HEARTBEAT),
        replace(RUNNING, phase=AttemptPhase.CANCELLING, cancel_cause=CancelCause.HEARTBEAT),
    ),
    (
        RUNNING,
        AttemptTroubled(run=RUN, trouble=TROUBLE),
        replace(RUNNING, model_trouble=TROUBLE),
    ),
    (
        replace(RUNNING, model_trouble=TROUBLE),
        AttemptTroubled(run=RUN),
        RUNNING,
    ),
    (
        RUNNING,
        AttemptSuspended(run=RUN, suspended=True),
        replace(RUNNING, suspended_at_ms=NOW_MS),
    ),
    (
        replace(RUNNING, suspended_at_ms=3),
        AttemptSuspended(run=RUN, suspended=False),
        RUNNING,
    ),
    (
        STOPPING,
        AttemptCancelRefused(run=RUN, detail=SAID),
        replace(STOPPING, cancel_refused=SAID),
    ),
    (
        GIVEN_UP,
        AttemptLate(
            run=RUN,
            ok=False,
            failure="exit-1",
            detail=SAID,
            answer=ANSWER,
            usage=USAGE,
            cost_microusd=9,
        ),
        replace(
            GIVEN_UP,
            late=True,
            late_ok=False,
            late_failure="exit-1",
            detail=SAID,
            answer=ANSWER,
            usage=USAGE,
            cost_microusd=9,
        ),
    ),
    (
        GIVEN_UP,
        AttemptLate(run=RUN, ok=True),
        replace(GIVEN_UP, late=True, late_ok=True),
    ),
    (
        GIVEN_UP,
        AttemptTold(run=RUN, says=LateWord.STOPPED, usage=USAGE, cost_microusd=9),
        replace(GIVEN_UP, late_word=LateWord.STOPPED, usage=USAGE, cost_microusd=9),
    ),
    *(
        (
            UNKNOWN,
            AttemptFinished(
                run=RUN,
                ok=ok,
                answer=ANSWER,
                usage=USAGE,
                cost_microusd=9,
                failure="exit-1",
                detail=SAID,
                blame=Blame.TASK,
            ),
            replace(
                UNKNOWN,
                phase=phase,
                ended_at_ms=NOW_MS,
                unknown_since_ms=None,
                answer=ANSWER,
                usage=USAGE,
                cost_microusd=9,
                reason="exit-1",
                detail=SAID,
                blame=Blame.TASK,
            ),
        )
        for ok, phase in ((True, AttemptPhase.SUCCEEDED), (False, AttemptPhase.FAILED))
    ),
    *(
        (
            replace(UNKNOWN, cancel_cause=cause),
            AttemptStopped(run=RUN, usage=USAGE, cost_microusd=9),
            replace(
                UNKNOWN,
                cancel_cause=cause,
                phase=phase,
                ended_at_ms=NOW_MS,
                unknown_since_ms=None,
                reason=reason,
                usage=USAGE,
                cost_microusd=9,
            ),
        )
        for cause, phase, reason in (
            (None, AttemptPhase.CANCELLED, "operator"),
            (CancelCause.OPERATOR, AttemptPhase.CANCELLED, "operator"),
            (CancelCause.PREEMPTION, AttemptPhase.CANCELLED, "preemption"),
            (CancelCause.DEADLINE, AttemptPhase.TIMED_OUT, "deadline"),
            (CancelCause.HEARTBEAT, AttemptPhase.TIMED_OUT, "heartbeat"),
        )
    ),
]


@pytest.mark.parametrize(
    ("before", "event", "after"),
    COURSE,
    ids=[f"{before.phase}-{type(event).__name__}" for before, event, _ in COURSE],
)
def test_a_fact_changes_what_it_is_about(
    before: Attempt, event: AttemptEvent, after: Attempt
) -> None:
    assert next_attempt(before, event, NOW_MS) == after


def test_every_fact_about_an_attempt_has_its_row() -> None:
    assert {type(event) for _, event, _ in COURSE} == set(AttemptEvent.__args__)
