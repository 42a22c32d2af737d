"""Where tasks stand: on one shelf each, counted while they are open, forgotten in order."""

import random
from collections import Counter

import pytest
from msgspec.structs import replace

from fleet_tui.core.fleet import Priority, Strategy
from fleet_tui.core.ids import AgentName, ClientName, KeyMark, RunId, TaskId
from fleet_tui.core.ledger.state import EMPTY_STATE, FleetState
from fleet_tui.core.routing.decision import RoutingDecision
from fleet_tui.core.tasks.model import Attempt, AttemptPhase, Task, TaskPhase
from fleet_tui.core.tasks.store import TaskStore
from tests.support.fleets import work

OPEN = [phase for phase in TaskPhase if not phase.is_closed]
DEAD = [TaskPhase.FAILED, TaskPhase.EXPIRED]
ENDED_WELL = [TaskPhase.SUCCEEDED, TaskPhase.CANCELLED]
BOUNDS = {"MAX_CLOSED_TASKS": 3, "MAX_DEAD_LETTERS": 3, "MAX_UNHEARD": 2, "MAX_KEYS": 2}


@pytest.fixture(autouse=True)
def _little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, bound in BOUNDS.items():
        monkeypatch.setattr(f"fleet_tui.core.tasks.store.{name}", bound)


def task(
    name: str,
    phase: TaskPhase = TaskPhase.WAITING,
    *,
    client: str | None = None,
    priority: Priority = Priority.P2,
    unheard: bool = False,
    dropped: bool = False,
) -> Task:
    lost = Attempt(
        run_id=RunId(name),
        number=1,
        agent=AgentName("a1"),
        phase=AttemptPhase.GIVEN_UP if unheard else AttemptPhase.DIED,
        planned_at_ms=1,
        decision=RoutingDecision(strategy=Strategy.LOAD_AWARE, policy="", considered=1),
    )
    return Task(
        id=TaskId(name),
        number=1,
        key=name,
        spec=work(client=client, priority=priority),
        by="me",
        submitted_at_ms=1,
        payload_sha256="",
        phase=phase,
        attempts=(lost,),
        dropped_by="me" if dropped else None,
    )


def put(*tasks: Task, base: FleetState = EMPTY_STATE) -> TaskStore:
    store = TaskStore(base)
    for each in tasks:
        store.put(each)
    return store


def kept(store: TaskStore) -> FleetState:
    """The state that the batch leaves behind."""
    return replace(
        EMPTY_STATE,
        open_tasks=store.open,
        closed_tasks=store.closed,
        dead_letters=store.dead,
        unheard_tasks=store.unheard,
        keys=store.keys,
        open_by_priority=store.by_priority,
        open_by_client=store.by_client,
    )


def names(store: TaskStore) -> list[str]:
    """Open, closed, dead and unheard tasks by name."""
    return [" ".join(x) for x in (store.open, store.closed, store.dead, store.unheard)]


@pytest.mark.parametrize("dropped", [False, True])
@pytest.mark.parametrize("phase", TaskPhase)
def test_the_phase_says_the_shelf_and_a_failure_that_was_dropped_is_closed(
    phase: TaskPhase, dropped: bool
) -> None:
    store = put(task("t", phase, dropped=dropped))
    on = [phase in OPEN, phase in ENDED_WELL, phase in DEAD]
    if dropped and phase in DEAD:
        on = [False, True, False]
    assert names(store) == [*("t" if here else "" for here in on), ""]
    assert store.find(TaskId("t")) == task("t", phase, dropped=dropped)
    assert store.find(TaskId("u")) is None


@pytest.mark.parametrize("shelf", [OPEN[0], DEAD[0], ENDED_WELL[0]])
def test_a_task_that_changes_keeps_its_place_on_its_shelf(shelf: TaskPhase) -> None:
    store = put(*(task(name, shelf) for name in "abc"), replace(task("a", shelf), reason="new"))
    assert "a b c" in names(store)
    found = store.find(TaskId("a"))
    assert found is not None
    assert found.reason == "new"


@pytest.mark.parametrize("shelf", [DEAD[0], ENDED_WELL[0]])
def test_the_oldest_is_let_go_when_a_shelf_is_full(shelf: TaskPhase) -> None:
    three = put(*(task(name, shelf) for name in "abc"))
    assert "a b c" in names(three)
    three.put(task("d", shelf))
    assert "b c d" in names(three)
    assert three.find(TaskId("a")) is None


@pytest.mark.parametrize("shelf", [DEAD[0], ENDED_WELL[0]])
def test_a_task_whose_run_is_unheard_is_kept_beyond_its_shelf(shelf: TaskPhase) -> None:
    lost = [task(name, shelf, unheard=True) for name in "ab"]
    rest = [task(name, shelf) for name in "xyz"]
    store = put(*lost, *rest)
    assert names(store)[3] == "a b"
    assert store.find(TaskId("a")) == lost[0]
    store.put(task("c", shelf, unheard=True))
    for name in "uvw":
        store.put(task(name, shelf))
    assert names(store)[3] == "b c", "the oldest of them is forgotten"


@pytest.mark.parametrize("phase", [OPEN[0], DEAD[0], ENDED_WELL[0]])
def test_an_unheard_task_that_comes_back_stands_on_one_shelf(phase: TaskPhase) -> None:
    store = put(task("a", ENDED_WELL[0], unheard=True))
    for name in "xyz":
        store.put(task(name, ENDED_WELL[0]))
    base = kept(store)
    assert list(base.unheard_tasks) == ["a"]
    again = put(task("a", phase), base=base)
    assert names(again)[3] == ""
    assert " ".join(names(again)).split().count("a") == 1
    assert list(base.unheard_tasks) == ["a"], "what it began with is as it was"


def test_a_key_is_remembered_and_the_oldest_one_is_forgotten() -> None:
    first = TaskStore(EMPTY_STATE)
    for key in ("k1", "k2"):
        first.remember_key(key, KeyMark(f"{key}.mark"))
    base = kept(first)
    assert base.keys == {"k1": "k1.mark", "k2": "k2.mark"}
    second = TaskStore(base)
    second.remember_key("k3", KeyMark("k3.mark"))
    second.remember_key("k2", KeyMark("k2.other"))
    assert second.keys == {"k2": "k2.other", "k3": "k3.mark"}
    assert base.keys == {"k1": "k1.mark", "k2": "k2.mark"}
    assert dict(EMPTY_STATE.keys) == {}


def test_counts_that_an_old_ledger_has_not_are_made_from_its_tasks() -> None:
    tasks = [task("a", client="acme"), task("b", client="acme"), task("c", priority=Priority.P0)]
    old = replace(EMPTY_STATE, open_tasks={t.id: t for t in tasks})
    store = TaskStore(old)
    assert store.by_priority == {Priority.P2: 2, Priority.P0: 1}
    assert store.by_client == {"acme": 2}
    counted = kept(store)
    assert TaskStore(counted).by_priority == counted.open_by_priority
    assert dict(old.open_by_priority) == {}


def test_another_spec_of_an_open_task_counts_instead_of_the_one_before() -> None:
    store = put(task("a", client="acme"))
    store.put(task("a", client="globex", priority=Priority.P0))
    assert store.by_priority == {Priority.P0: 1}
    assert store.by_client == {"globex": 1}
    store.put(task("a", DEAD[0], client="globex", priority=Priority.P0))
    assert (store.by_priority, store.by_client) == ({}, {})


@pytest.mark.parametrize("seed", range(20))
def test_however_tasks_move_each_stands_once_and_the_open_ones_are_counted(seed: int) -> None:
    chance, base = random.Random(seed), EMPTY_STATE
    for _ in range(12):
        before = {
            name: dict(getattr(base, name))
            for name in ("open_tasks", "closed_tasks", "dead_letters", "unheard_tasks")
        }
        counts = dict(base.open_by_priority), dict(base.open_by_client)
        store = TaskStore(base)
        for _ in range(chance.randrange(1, 6)):
            moved = task(
                chance.choice("abcdefgh"),
                chance.choice(list(TaskPhase)),
                client=chance.choice([None, "acme", "globex"]),
                priority=chance.choice(list(Priority)),
                unheard=chance.random() < 0.5,
                dropped=chance.random() < 0.3,
            )
            store.put(moved)
            assert store.find(moved.id) is moved
        standing = " ".join(names(store)).split()
        assert len(standing) == len(set(standing))
        specs = [each.spec for each in store.open.values()]
        assert store.by_priority == Counter(spec.priority for spec in specs)
        assert store.by_client == Counter(
            ClientName(spec.client) for spec in specs if spec.client is not None
        )
        assert len(store.closed) <= BOUNDS["MAX_CLOSED_TASKS"]
        assert len(store.dead) <= BOUNDS["MAX_DEAD_LETTERS"]
        assert len(store.unheard) <= BOUNDS["MAX_UNHEARD"]
        assert before == {name: dict(getattr(base, name)) for name in before}
        assert counts == (dict(base.open_by_priority), dict(base.open_by_client))
        base = kept(store)
