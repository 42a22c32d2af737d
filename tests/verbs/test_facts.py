"""What whoever agrees to a plan has read before, and whether a verb can be done at all."""

import pytest
from msgspec.structs import replace

from fleet_tui.core.ids import AgentName, TaskId
from fleet_tui.core.ledger.replies import Refused
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.plans import plan
from fleet_tui.verbs.dead_letters import EDIT
from fleet_tui.verbs.possible import MAX_LOOKED_AT, able, why_not
from fleet_tui.verbs.table import VERBS
from fleet_tui.verbs.tasks import MAX_TOLD, RESOLVE
from fleet_tui.verbs.verb import PlanFact, Planned, Said, TaskVerb, Verb
from tests.support.scene import NOW_MS, seeded_state, task_id, with_dead_letters

STATE = seeded_state()
WITH_DEAD = with_dead_letters(seeded_state())
WAITING = task_id(48_220)
RUNNING = task_id(48_171)
LOST = task_id(48_100)
DEAD = next(iter(WITH_DEAD.dead_letters))


def facts(
    name: str, *names: str, said: Said | None = None, state: FleetState = STATE
) -> list[PlanFact]:
    verb = VERBS[name]
    said = said or Said(reason="why")
    found = plan(state, "ana", verb.command(names, said), NOW_MS)
    assert not isinstance(found, Refused), found
    return list(verb.facts(Planned(state, found, said, NOW_MS)))


def lines(name: str, *names: str, said: Said | None = None, state: FleetState = STATE) -> list[str]:
    return [fact.line for fact in facts(name, *names, said=said, state=state)]


def test_a_held_task_waits_and_several_wait() -> None:
    assert lines("hold", WAITING) == ["Until released, it waits."]
    assert lines("hold", WAITING, task_id(48_221)) == ["Until released, they wait."]
    assert lines("expedite", WAITING) == []


def test_a_cancel_tells_of_each_task_and_of_the_work_that_is_lost() -> None:
    waits, runs, *sums = facts("cancel", WAITING, RUNNING)
    assert (waits.about, waits.text, waits.is_loss) == (
        "t-48220",
        "queued: removed from the queue",
        False,
    )
    assert runs.text == "runs on agent-01 for 1m07s: that work is lost"
    assert runs.is_loss
    assert [fact.text for fact in sums] == ["1 run is stopped: its work is lost."]
    assert facts("cancel", RUNNING) == [runs], "one line says it"
    (lost,) = facts("cancel", LOST)
    assert (lost.text, lost.is_loss) == ("may run on agent-14: stopped if so", True)


def test_a_cancel_of_very_many_tasks_is_told_in_few_lines() -> None:
    many = list(STATE.open_tasks)
    told = facts("cancel", *many)
    assert len(told) <= MAX_TOLD + 3
    assert told[MAX_TOLD].text == f"and {len(many) - MAX_TOLD} more"


def test_dead_letters_are_counted_by_client_and_by_how_they_ended() -> None:
    dead = list(WITH_DEAD.dead_letters)
    told = lines("requeue", *dead, state=WITH_DEAD)
    assert told[0].startswith("tasks  t-46901, ")
    assert told[0].endswith(" and 10 more")
    assert told[1] == "clients  7 acme, 4 globex, 2 no client"
    assert told[2] == "ended  7 failed: exit-3 after # turns"
    assert told[-2] == "pace  all may be placed at once"
    slowly = lines("requeue", *dead, said=Said(per_minute=6), state=WITH_DEAD)
    assert slowly[-2] == "pace  6 per minute; the last one is placed in 2m"
    (one, again) = facts("requeue", dead[0], state=WITH_DEAD)
    assert one.about == WITH_DEAD.dead_letters[TaskId(dead[0])].label
    assert one.text == "ended as failed: exit-3 after 40 turns"
    assert again.text.startswith("Each task restarts")
    *_, dropped = facts("drop", dead[0], state=WITH_DEAD)
    assert dropped.text == "It will not run again; the ledger keeps the request and every attempt."
    assert dropped.is_loss


def test_a_cordon_tells_what_goes_on_and_what_stays_of_the_pool() -> None:
    assert lines("cordon", "agent-01") == [
        "No new work.",
        "2 running tasks continue.",
    ]
    pool = STATE.fleet.agents[AgentName("agent-01")].pool
    whole = [name for name, spec in STATE.fleet.agents.items() if spec.pool == pool]
    told = facts("cordon", *whole)
    assert told[0].text == "No new work."
    assert [fact for fact in told if fact.is_loss and f"{pool} in service" in fact.text]


def test_a_freeze_and_a_thaw_count_what_goes_on_and_what_waits() -> None:
    told = lines("freeze")
    assert told[0] == "No new work starts until a thaw, even after an engine restart."
    assert told[1].endswith("on agents continue and are tracked; 128 tasks wait.")


@pytest.mark.parametrize(
    ("name", "names", "why"),
    [
        ("hold", (), "no task is selected"),
        ("cordon", (), "no agent is selected"),
        ("ack", (), "no alert is selected"),
        ("hold", (WAITING,), None),
        ("hold", (RUNNING,), "t-48171 is active; only waiting tasks can be held."),
        ("hold", (RUNNING, WAITING), None),
        ("release", (WAITING,), "t-48220 is not held."),
        ("priority", (WAITING,), None),
        ("drop", (WAITING,), "t-48220 is waiting; only dead letters can be dropped."),
        ("uncordon", ("agent-01",), "agent-01 is not cordoned."),
        ("cordon", ("agent-01",), None),
        ("freeze", (), None),
        ("thaw", (), "The engine is not frozen."),
    ],
)
def test_why_a_verb_cannot_be_done(name: str, names: tuple[str, ...], why: str | None) -> None:
    assert why_not(VERBS[name], STATE, names, NOW_MS) == why


@pytest.mark.parametrize(
    ("verb", "names", "why"),
    [
        (RESOLVE, (), "no task is selected"),
        (RESOLVE, (LOST,), None),
        (RESOLVE, (WAITING, LOST), None),
        (RESOLVE, (WAITING, RUNNING), "t-48220 is waiting; no verdict is needed."),
        (RESOLVE, ("none",), "No task none is known."),
        (EDIT, (DEAD,), None),
        (EDIT, (DEAD, WAITING), "one task at a time"),
        (EDIT, (WAITING,), "t-48220 is waiting; only dead letters can be edited."),
    ],
)
def test_why_it_cannot_be_done_to_one_task_after_the_other(
    verb: TaskVerb, names: tuple[str, ...], why: str | None
) -> None:
    assert why_not(verb, WITH_DEAD, names, NOW_MS) == why


def test_which_of_those_that_are_chosen_it_can_be_done_to() -> None:
    chosen = (LOST, RUNNING, WAITING, "none", DEAD)

    def those(verb: Verb | TaskVerb) -> list[str]:
        return [*able(verb, WITH_DEAD, chosen, NOW_MS)]

    assert those(RESOLVE) == [LOST]
    assert those(EDIT) == [DEAD]
    assert those(VERBS["priority"]) == [WAITING], "whatever priority it has now"
    assert those(VERBS["cancel"]) == [LOST, RUNNING, WAITING]
    assert those(VERBS["release"]) == []


def test_of_very_many_the_plan_tells() -> None:
    running = [task for task, known in STATE.open_tasks.items() if known.open_attempt is not None]
    many = (running * MAX_LOOKED_AT)[: MAX_LOOKED_AT + 1]
    assert why_not(VERBS["hold"], STATE, many, NOW_MS) is None
    assert why_not(VERBS["hold"], STATE, many[1:], NOW_MS) is not None


def test_a_priority_of_its_own_is_no_reason_to_offer_no_other() -> None:
    task = replace(
        STATE.open_tasks[WAITING],
        spec=replace(STATE.open_tasks[WAITING].spec, priority=Said().priority),
    )
    state = replace(STATE, open_tasks={**STATE.open_tasks, WAITING: task})
    assert why_not(VERBS["priority"], state, (WAITING,), NOW_MS) is None
