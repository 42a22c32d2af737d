"""What the state of a fleet answers about its tasks and attempts."""

import msgspec
import pytest
from msgspec.structs import replace

from fleet_tui.core.agents.model import AgentState
from fleet_tui.core.fleet import Strategy
from fleet_tui.core.ids import AgentName, PoolName, RunId, TaskId
from fleet_tui.core.ledger.state import EMPTY_STATE, FleetState, Totals
from fleet_tui.core.routing.decision import Candidate, RoutingDecision
from fleet_tui.core.tasks.evidence import Answer, LateWord, Usage
from fleet_tui.core.tasks.model import MAX_SHOWN_CHARS, Attempt, AttemptPhase, Task, TaskPhase
from tests.support.fleets import work

NOWHERE = RoutingDecision(strategy=Strategy.LOAD_AWARE, policy="0", considered=1)
GIVEN_UP = Attempt(
    run_id=RunId("T.1"),
    number=1,
    agent=AgentName("a1"),
    phase=AttemptPhase.GIVEN_UP,
    planned_at_ms=1,
    decision=NOWHERE,
)


def task(number: int, phase: TaskPhase = TaskPhase.WAITING) -> Task:
    return Task(
        id=TaskId(f"{number:026d}"),
        number=number,
        key=str(number),
        spec=work(),
        by="me",
        submitted_at_ms=1,
        payload_sha256="",
        phase=phase,
    )


OPEN, CLOSED, DEAD, UNHEARD = (
    task(1),
    task(2, TaskPhase.SUCCEEDED),
    task(3, TaskPhase.FAILED),
    task(4, TaskPhase.FAILED),
)
STATE: FleetState = replace(
    EMPTY_STATE,
    open_tasks={OPEN.id: OPEN},
    closed_tasks={CLOSED.id: CLOSED},
    dead_letters={DEAD.id: DEAD},
    unheard_tasks={UNHEARD.id: UNHEARD},
    totals=Totals(submitted=9),
)


@pytest.mark.parametrize("wanted", [OPEN, CLOSED, DEAD, UNHEARD])
def test_a_task_is_found_by_its_id_its_label_and_its_number(wanted: Task) -> None:
    assert STATE.task(wanted.id) == wanted
    for text in (wanted.id, wanted.label, str(wanted.number)):
        assert STATE.find_task(text) == wanted


@pytest.mark.parametrize("text", ["t-5", "5", "0" * 25 + "5", "rent", ""])
def test_nothing_is_found_for_what_names_no_remembered_task(text: str) -> None:
    assert STATE.find_task(text) is None


def test_every_task_is_told_once_the_open_ones_first() -> None:
    assert list(STATE.tasks()) == [OPEN, CLOSED, DEAD, UNHEARD]
    assert list(STATE.ended_tasks()) == [CLOSED, DEAD, UNHEARD]
    assert STATE.ended_count == 3
    assert list(STATE.waiting()) == [OPEN]


@pytest.mark.parametrize("text", ["t-1", "1", "t-9", "0" * 25 + "5", "01ARYZ6S410000000000000000"])
def test_the_ledger_is_asked_for_what_it_may_hold(text: str) -> None:
    assert STATE.may_have_had(text)


@pytest.mark.parametrize(
    "text", ["t-0", "0", "t-10", "rent", "", "0" * 24 + "-A", "é" * 26, "A" * 25, "A" * 27]
)
def test_the_ledger_is_not_asked_for_what_never_was_a_task(text: str) -> None:
    assert not STATE.may_have_had(text)


def test_a_forgotten_task_is_looked_at_as_one_that_ended() -> None:
    forgotten = task(5, TaskPhase.SUCCEEDED)
    recalled = STATE.recalling(forgotten)
    assert recalled.closed_tasks == {**STATE.closed_tasks, forgotten.id: forgotten}
    assert replace(recalled, closed_tasks=STATE.closed_tasks) == STATE
    assert STATE.recalling(replace(DEAD, reason="as it was once")) is STATE


@pytest.mark.parametrize(
    ("attempt", "told"),
    [
        (GIVEN_UP, ""),
        (replace(GIVEN_UP, late_word=LateWord.DIED), "died"),
        (replace(GIVEN_UP, late=True), "ended"),
        (replace(GIVEN_UP, late=True, late_ok=True), "ended well"),
        (replace(GIVEN_UP, late=True, late_ok=False), "failed"),
        (replace(GIVEN_UP, late=True, late_ok=False, late_failure="exit-3"), "failed: exit-3"),
        (replace(GIVEN_UP, late=True, late_ok=True, late_word=LateWord.RUNS), "ended well"),
    ],
)
def test_what_was_told_late_is_said_in_words(attempt: Attempt, told: str) -> None:
    assert attempt.told_late == told


def test_pools_with_the_brake_on_are_stored_by_the_name_that_old_ledgers_have() -> None:
    state = FleetState(braked_pools={PoolName("gpu"): "too many lost"})
    stored = msgspec.json.encode(state)
    assert b'"frozen_pools":{"gpu":"too many lost"}' in stored
    assert msgspec.json.decode(stored, type=FleetState) == state


def test_one_task_done_well_shows_that_an_agent_was_up() -> None:
    agent = AgentState(name=AgentName("a1"))
    assert not agent.was_ever_up
    assert replace(agent, succeeded=1).was_ever_up
    assert replace(agent, was_up=True).was_ever_up


def test_people_see_the_beginning_of_a_payload() -> None:
    shown = work("x" * (MAX_SHOWN_CHARS + 1) + " token=abcdefgh").shown
    assert shown.raw == "x" * MAX_SHOWN_CHARS


def test_the_margin_is_how_far_the_chosen_was_ahead() -> None:
    first, second = (Candidate(agent=AgentName(n), score=s) for n, s in (("a", 0.75), ("b", 0.5)))
    decision = replace(NOWHERE, candidates=(first, second))
    assert (decision.chosen, decision.margin) == ("a", 0.25)
    assert replace(NOWHERE, candidates=(first,)).margin is None
    assert (NOWHERE.chosen, NOWHERE.margin) == (None, None)


def test_all_kinds_of_tokens_are_counted() -> None:
    usage = Usage(input_tokens=1, output_tokens=20, cache_read_tokens=300, cache_write_tokens=4_000)
    assert usage.total_tokens == 4_321


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(), ""),
        (Answer(lost=True), "lost: the run's host no longer has its output"),
        (
            Answer(lost=True, size_bytes=7, sha256="0123456789abcdef"),
            "lost: the run's host no longer has its output (7 bytes, sha256 0123456789ab)",
        ),
    ],
)
def test_a_lost_answer_says_what_is_known_of_it(answer: Answer, said: str) -> None:
    assert answer.loss == said
