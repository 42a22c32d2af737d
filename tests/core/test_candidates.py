"""Who stands in a line, best first, and what a round says of those that it leaves out."""

from collections.abc import Mapping

import pytest
from msgspec.structs import replace

from fleet_tui.core.agents.breaker import Breaker
from fleet_tui.core.agents.model import AgentState, CordonRecord, Health
from fleet_tui.core.agents.vitals import FailureKind, ProbeFailure, ProbeResult, VitalsReading
from fleet_tui.core.fleet import (
    AgentSpec,
    FleetSpec,
    OpenClawAgent,
    PoolSpec,
    Strategy,
    TaskClass,
)
from fleet_tui.core.ids import AgentName, Capability, PoolName, RunId
from fleet_tui.core.routing.candidates import MAX_EXAMPLE_CHARS, CandidateSet, PoolRanking
from fleet_tui.core.routing.decision import MAX_NAMED_PER_RULE, Candidate, Rejection, Rule
from fleet_tui.core.routing.requirement import Roster, requirement_of
from fleet_tui.core.routing.schedule import Router
from fleet_tui.core.routing.scores import (
    TRIAL_TERM,
    TRIED_TERM,
    FreeAgent,
    candidate,
    terms,
    turn_term,
)
from fleet_tui.core.tasks.events import TaskPending, TaskPlaced
from tests.support.fleets import agent, fleet, work
from tests.support.ledger import Story
from tests.support.routing import decided_alone

NOBODY: frozenset[AgentName] = frozenset()
NEEDS: frozenset[Capability] = frozenset()
NOW_MS = 1_000_000
BREAKER = Breaker(since_ms=1, until_ms=2, harmless=True, reason="refused 3 in a row")


def free_agent(name: str, held: int = 0, look: ProbeResult | None = None) -> FreeAgent:
    spec = agent(name, slots=4)
    return FreeAgent(spec, AgentState(name=spec.name, health=Health.UP), held, look)


def line(strategy: Strategy, *standings: FreeAgent) -> PoolRanking:
    order = {stands.spec.name: place for place, stands in enumerate(standings)}
    stood = PoolRanking(PoolSpec(name=PoolName("general"), strategy=strategy), order, NEEDS)
    for stands in standings:
        stood.put(stands)
    return stood


def best(
    stood: PoolRanking, limit: int = 8, tried: tuple[str, ...] = (), last_turn: str | None = None
) -> tuple[Candidate, ...]:
    names = frozenset(AgentName(name) for name in tried)
    last = AgentName(last_turn) if last_turn is not None else None
    return stood.best(limit, names, last)


def names(found: tuple[Candidate, ...]) -> list[str]:
    return [each.agent for each in found]


def scored(stands: FreeAgent, *more: tuple[str, int]) -> Candidate:
    return candidate(stands, [*terms(Strategy.LOAD_AWARE, stands, NEEDS), *more])


# One pool


def test_the_best_come_first_and_equals_in_the_order_of_the_file() -> None:
    stands = [free_agent("d", 1), free_agent("c"), free_agent("b"), free_agent("a", 2)]
    stood = line(Strategy.LOAD_AWARE, *stands)
    assert best(stood) == tuple(scored(stands[place]) for place in (1, 2, 0, 3))
    assert names(best(stood, 2)) == ["c", "b"]
    assert len(stood) == 4


def test_who_changes_stands_anew_and_who_is_full_stands_no_more() -> None:
    stands = [free_agent("a"), free_agent("b"), free_agent("c")]
    stood = line(Strategy.LOAD_AWARE, *stands)
    assert names(best(stood)) == ["a", "b", "c"]
    fuller = free_agent("a", 3)
    stood.put(fuller)
    assert best(stood) == (scored(stands[1]), scored(stands[2]), scored(fuller))
    stood.drop(AgentName("b"))
    assert names(best(stood)) == ["c", "a"]
    assert len(stood) == 2
    stood.drop(AgentName("b"))
    assert len(stood) == 2, "it was not there"


def test_whoever_was_tried_before_goes_behind_those_that_are_as_good() -> None:
    stands = [free_agent("a"), free_agent("b", 1), free_agent("c", 2), free_agent("d", 3)]
    stood = line(Strategy.LOAD_AWARE, *stands)
    a, b, c, d = stands
    assert best(stood, tried=("a",)) == (
        scored(b),
        scored(c),
        scored(d),
        scored(a, TRIED_TERM),
    )
    assert names(best(stood, 2, tried=("a", "b"))) == ["c", "d"]
    assert best(stood, tried=("x",)) == (scored(a), scored(b), scored(c), scored(d))
    both = best(stood, tried=("a", "b", "c", "d"))
    assert names(both) == ["a", "b", "c", "d"]
    assert [x.score for x in both] == sorted((x.score for x in both), reverse=True)


def test_equals_that_were_tried_before_stand_in_the_order_of_the_file() -> None:
    stood = line(Strategy.LOAD_AWARE, free_agent("z"), free_agent("y"), free_agent("x"))
    assert names(best(stood, tried=("x", "y", "z"))) == ["z", "y", "x"]
    assert names(best(stood, tried=("z",))) == ["y", "x", "z"]


POOL = ["0a", "Zb", "yc", "xd", "we"]


def turns(after: int, places: list[int], *more: tuple[str, int]) -> tuple[Candidate, ...]:
    return tuple(
        candidate(free_agent(POOL[place]), [turn_term(place, after, len(POOL)), *more])
        for place in places
    )


@pytest.mark.parametrize(
    ("last_turn", "after"),
    [(None, -1), ("gone", -1), ("0a", 0), ("Zb", 1), ("yc", 2), ("xd", 3), ("we", 4)],
)
def test_in_turn_the_one_after_the_last_goes_first_and_each_has_its_place(
    last_turn: str | None, after: int
) -> None:
    stood = line(Strategy.ROUND_ROBIN, *(free_agent(name) for name in POOL))
    order = [(after + 1 + n) % len(POOL) for n in range(len(POOL))]
    for limit in range(1, len(POOL) + 2):
        assert best(stood, limit, (), last_turn) == turns(after, order[:limit])
    tried = best(stood, 8, (POOL[order[0]],), last_turn)
    assert tried[-1] == turns(after, order[:1], TRIED_TERM)[0] or len(tried) == len(POOL)
    assert set(tried) == {*turns(after, order[1:]), *turns(after, order[:1], TRIED_TERM)}
    assert [x.score for x in tried] == sorted((x.score for x in tried), reverse=True)


def test_in_turn_a_full_one_is_passed_over() -> None:
    stood = line(Strategy.ROUND_ROBIN, *(free_agent(name) for name in POOL))
    stood.drop(AgentName("yc"))
    assert best(stood, 8, (), "Zb") == turns(1, [3, 4, 0, 1])
    assert best(stood, 3, (), "we") == turns(4, [0, 1, 3])


def on_trial(name: str, held: int = 0, boot_id: str | None = None) -> FreeAgent:
    stands = free_agent(name, held)
    return FreeAgent(stands.spec, replace(stands.agent, boot_id=boot_id), held, None)


def trialled(stands: FreeAgent) -> Candidate:
    return candidate(stands, [TRIAL_TERM, *terms(Strategy.LOAD_AWARE, stands, NEEDS)])


def with_trials(*trials: FreeAgent, others: int = 1) -> PoolRanking:
    """A line in which these stand before so many others, in the file too."""
    rest = [free_agent(f"other-{n}") for n in range(others)]
    stood = line(Strategy.LOAD_AWARE, *trials, *rest)
    for stands in trials:
        stood.drop(stands.spec.name)
        stood.put_on_trial(stands)
    return stood


def test_a_task_that_suits_goes_to_whoever_is_on_trial_first() -> None:
    idle, busy, same = on_trial("t1", 2), on_trial("t2", 3), on_trial("t3", 2)
    stood = with_trials(busy, idle, same)
    found = best(stood)
    assert found[:3] == (trialled(idle), trialled(same), trialled(busy))
    assert names(found[3:]) == ["other-0"]
    assert names(best(stood, 2)) == ["t1", "t3"]
    assert len(stood) == 4
    stood.drop(AgentName("t1"))
    assert names(best(stood)) == ["t3", "t2", "other-0"]


def test_a_trial_gets_a_task_that_it_had_only_where_nobody_else_is() -> None:
    trials = on_trial("t1"), on_trial("t2")
    stood = with_trials(*trials)
    assert names(best(stood)) == ["t1", "t2", "other-0"]
    assert names(best(stood, tried=("t1",))) == ["t2", "other-0"]
    alone = with_trials(*trials, others=0)
    assert names(best(alone, tried=("t1",))) == ["t1", "t2"]
    assert len(alone) == 2


def test_behind_trials_others_stand_as_ever() -> None:
    stood = line(Strategy.ROUND_ROBIN, *(free_agent(name) for name in POOL))
    stood.drop(AgentName("0a"))
    stood.put_on_trial(on_trial("0a"))
    assert names(best(stood, 8, (), "Zb")) == ["0a", "yc", "xd", "we", "Zb"]
    assert names(best(stood, 8, ("yc",), None))[-1] == "yc"


# All pools of a requirement


def known(name: str, runs: int = 0, **fields: object) -> AgentState:
    held = frozenset(RunId(f"{name}-{n}.1") for n in range(runs))
    state: dict[str, object] = {"name": AgentName(name), "health": Health.UP, "runs": held}
    return AgentState(**(state | fields))  # type: ignore[arg-type]  # checked by the struct


def candidates(
    spec: FleetSpec,
    *agents: AgentState,
    given: Mapping[str, int] = {},
    probes: Mapping[AgentName, ProbeResult] = {},
    task_class: TaskClass = TaskClass.ONCE,
) -> tuple[CandidateSet, dict[PoolName, PoolRanking]]:
    """The candidates for work that needs nothing, and the ranking of each pool."""
    roster = Roster(spec)
    wanted = requirement_of(spec, work(task_class=task_class))
    lines = {
        pool: PoolRanking(spec.pools[pool], {a: n for n, a in enumerate(spec.agents)}, NEEDS)
        for pool in {a.pool for a in roster.eligible(wanted).agents}
    }
    found = CandidateSet(
        wanted,
        roster,
        lines,
        {a.name: a for a in agents},
        probes,
        {AgentName(name): count for name, count in given.items()},
        NOW_MS,
    )
    return found, lines


def free(lines: dict[PoolName, PoolRanking]) -> list[str]:
    return sorted(each for stood in lines.values() for each in names(best(stood, 99)))


def test_who_is_left_out_is_told_by_state_cordon_and_slots() -> None:
    spec = fleet(*(agent(name, slots=2) for name in ("up", "new", "off", "full", "given", "down")))
    found, lines = candidates(
        spec,
        known("up", 1),
        known("off", cordon=CordonRecord(by="ann", reason="", since_ms=1)),
        known("full", 2),
        known("given", 1),
        known("down", health=Health.DOWN, reason="x" * 200),
        given={"given": 1},
    )
    assert free(lines) == ["up"]
    assert found.considered == 6
    assert found.rejections() == (
        Rejection(
            rule=Rule.STATE,
            wanted="up",
            count=2,
            left=4,
            agents=(AgentName("new"), AgentName("down")),
            example="new is unknown",
        ),
        Rejection(
            rule=Rule.CORDON,
            wanted="not cordoned",
            count=1,
            left=3,
            agents=(AgentName("off"),),
            example="off is cordoned by ann",
        ),
        Rejection(
            rule=Rule.SLOTS,
            wanted="a free slot",
            count=2,
            left=1,
            agents=(AgentName("full"), AgentName("given")),
            example="full has 2/2 slots in use",
        ),
    )


def test_what_is_wrong_with_the_first_is_told_in_part_where_it_is_long() -> None:
    found, _ = candidates(fleet(agent("a1")), known("a1", health=Health.DOWN, reason="x" * 200))
    (told,) = found.rejections()
    said = f"down: {'x' * 200}"
    assert told.example == f"a1 is {said[:MAX_EXAMPLE_CHARS]}"


def test_of_many_that_are_left_out_some_are_named_and_all_are_counted() -> None:
    many = [f"a{n}" for n in range(MAX_NAMED_PER_RULE + 3)]
    found, _ = candidates(
        fleet(*(agent(name) for name in many)), *(known(name, 2) for name in many)
    )
    (told,) = found.rejections()
    assert list(told.agents) == many[:MAX_NAMED_PER_RULE]
    assert (told.count, told.left) == (len(many), 0)


def test_full_agents_are_told_in_the_order_of_the_file_whoever_was_full_first() -> None:
    spec = fleet(
        agent("a0", slots=2),
        agent("a1", slots=1),
        agent("a2", slots=3),
        strategy=Strategy.ROUND_ROBIN,
    )
    spec = replace(
        spec,
        pools={name: replace(p, strategy=Strategy.ROUND_ROBIN) for name, p in spec.pools.items()},
    )
    story = Story(spec)
    story.all_up()
    story.submit_many(work(), 7)
    order = []
    for event in Router(spec).schedule(story.state, {}, story.now_ms):
        assert isinstance(event, TaskPlaced | TaskPending)
        told = event.decision if isinstance(event, TaskPlaced) else event.pending.decision
        assert told is not None
        alone = decided_alone(story.state, story.state.open_tasks[event.task])
        assert told == alone, "what a round keeps is what a fresh look finds"
        order.append([*told.rejections[0].agents] if told.rejections else [])
        story.add(event)
    assert order == [[], [], ["a1"], ["a1"], ["a0", "a1"], ["a0", "a1"], ["a0", "a1", "a2"]]


def test_what_the_round_gives_away_is_followed() -> None:
    found, lines = candidates(
        fleet(agent("a1", slots=3), agent("a2", slots=1)), known("a1", 1), known("a2")
    )
    assert found.rejections() == ()
    found.follow(AgentName("a1"), 1)
    assert free(lines) == ["a1", "a2"]
    (first,) = best(lines[PoolName("general")], 1)
    assert first.agent == "a2", "it is emptier now"
    found.follow(AgentName("a2"), 1)
    assert free(lines) == ["a1"]
    (told,) = found.rejections()
    assert (told.agents, told.left, told.example) == (("a2",), 1, "a2 has 1/1 slots in use")
    found.follow(AgentName("a1"), 2)
    (told,) = found.rejections()
    assert (told.agents, told.left) == (("a1", "a2"), 0)
    assert told.example == "a1 has 3/3 slots in use"
    assert free(lines) == []
    found.follow(AgentName("elsewhere"), 1)
    assert found.rejections() == (told,), "who is of no pool here changes nothing"


def test_an_open_breaker_lets_one_task_through_when_its_time_has_come() -> None:
    spec = fleet(agent("a1", slots=2), agent("a2", slots=1))
    waits = known("a1", 1, health=Health.SUSPECT, breaker=BREAKER)
    for until_ms, may in ((NOW_MS, True), (NOW_MS + 1, False)):
        tripped = replace(waits, breaker=replace(BREAKER, until_ms=until_ms))
        _, lines = candidates(spec, tripped, known("a2", 1))
        assert free(lines) == (["a1"] if may else [])
    found, lines = candidates(spec, waits, known("a2", 1))
    found.follow(AgentName("a1"), 1)
    assert free(lines) == []
    (told,) = found.rejections()
    assert (told.agents, told.left) == (("a1", "a2"), 0)
    assert told.example == "a1 is on trial with another task"
    (told,) = candidates(spec, waits, known("a2", 1), given={"a1": 1})[0].rejections()
    assert told.example == "a1 is on trial with another task"
    (told,) = candidates(spec, replace(waits, runs=known("a1", 2).runs), known("a2", 1))[
        0
    ].rejections()
    assert told.example == "a1 has no free slot"


@pytest.mark.parametrize("task_class", TaskClass)
def test_an_agent_whose_runs_failed_is_tried_only_with_what_may_run_again(
    task_class: TaskClass,
) -> None:
    spec = fleet(agent("a1", slots=2), agent("a2", slots=1))
    harmful = known("a1", health=Health.SUSPECT, breaker=replace(BREAKER, harmless=False))
    found, lines = candidates(spec, harmful, known("a2", 1), task_class=task_class)
    if task_class is TaskClass.IDEMPOTENT:
        assert free(lines) == ["a1"]
        return
    assert free(lines) == []
    left_out = Rejection(
        rule=Rule.TRIAL,
        wanted="trusted with it",
        count=1,
        left=1,
        agents=(AgentName("a1"),),
        example="a1 is suspect",
    )
    assert found.rejections()[0] == left_out
    found.follow(AgentName("a1"), 1)  # work of another kind is tried there
    assert found.rejections()[0] == left_out
    assert [r.rule for r in found.rejections()] == [Rule.TRIAL, Rule.SLOTS]
    waits = replace(harmful, breaker=replace(BREAKER, harmless=False, until_ms=NOW_MS + 1))
    assert candidates(spec, waits, known("a2", 1))[0].rejections()[0] == left_out
    for other in (
        replace(harmful, cordon=CordonRecord(by="ann", reason="", since_ms=1)),
        replace(harmful, failure=FailureKind.TIMEOUT),
        replace(harmful, health=Health.DOWN),
    ):
        told = candidates(spec, other, known("a2", 1))[0].rejections()
        assert [r.rule for r in told] == [Rule.STATE, Rule.SLOTS], "something else comes first"


def test_a_trial_is_scored_by_its_look_like_any_other() -> None:
    spec = fleet(agent("a1", slots=2))
    waits = known("a1", 1, health=Health.SUSPECT, breaker=BREAKER)
    probes: dict[AgentName, ProbeResult] = {waits.name: reading("a1", 8)}
    _, lines = candidates(spec, waits, probes=probes)
    stands = FreeAgent(spec.agents[waits.name], waits, 1, probes[waits.name])
    assert best(lines[PoolName("general")]) == (trialled(stands),)
    assert "quick" in {term.name for term in trialled(stands).terms}


# Agents of one gateway


def gateway(name: str, port: int = 1, pool: str = "general") -> AgentSpec:
    kind = OpenClawAgent(port=port, agent_id=name, token="secret:env:T")
    return replace(agent(name, slots=6, pool=pool), kind=kind)


def reading(name: str, capacity: int | None) -> VitalsReading:
    return VitalsReading(agent=AgentName(name), observed_at_ms=0, latency_ms=1.0, capacity=capacity)


def probes(**capacities: int | None) -> dict[AgentName, ProbeResult]:
    return {AgentName(name): reading(name, width) for name, width in capacities.items()}


NO_LOOKS: dict[AgentName, ProbeResult] = {}
TWO = fleet(gateway("g1"), gateway("g2"), gateway("g3", 2))


@pytest.mark.parametrize(
    ("widths", "runs", "is_full"),
    [
        ({"g1": 1, "g2": 1}, 0, False),
        ({"g1": 1, "g2": 1}, 1, True),
        ({"g1": 0, "g2": 0}, 0, False),
        ({"g1": 0, "g2": 0}, 1, True),
        ({"g1": 8, "g2": 3}, 2, False),
        ({"g1": 8, "g2": 3}, 3, True),
        ({"g1": 3}, 3, True),
        ({"g1": None, "g2": 3}, 3, True),
        ({"g1": None, "g2": None}, 5, False),
        ({}, 5, False),
        ({"g3": 1}, 5, False),
    ],
)
def test_a_lane_is_as_wide_as_the_narrowest_look_at_it_says(
    widths: dict[str, int | None], runs: int, is_full: bool
) -> None:
    agents = known("g1", runs), known("g2"), known("g3", 2)
    found, lines = candidates(TWO, *agents, probes=probes(**widths))
    assert free(lines) == (["g3"] if is_full else ["g1", "g2", "g3"])
    if is_full:
        (told,) = found.rejections()
        width = max(1, min(w for w in widths.values() if w is not None))
        assert told.example == f"g1 shares its gateway's lane, {runs}/{width} in use"


def test_a_lane_of_which_no_look_tells_the_width_is_as_wide_as_the_most_slots_in_it() -> None:
    wide = replace(TWO.agents[AgentName("g2")], slots=8)
    spec = replace(TWO, agents={**TWO.agents, wide.name: wide})
    silent: dict[AgentName, ProbeResult] = {**probes(g1=None), **probes(g3=1)}
    for seen in (NO_LOOKS, silent):
        _, lines = candidates(spec, known("g1", 5), known("g2", 2), known("g3"), probes=seen)
        assert free(lines) == ["g1", "g2", "g3"]
        found, lines = candidates(spec, known("g1", 5), known("g2", 3), known("g3"), probes=seen)
        assert free(lines) == ["g3"]
        (told,) = found.rejections()
        assert told.example == "g1 shares its gateway's lane, 8/8 in use"


def test_a_trial_finds_room_in_its_lane_like_any_other_task() -> None:
    waits = known("g1", health=Health.SUSPECT, breaker=BREAKER)
    seen = probes(g1=2, g2=2)
    full, lines = candidates(TWO, waits, known("g2", 2), known("g3", 6), probes=seen)
    assert free(lines) == []
    assert full.rejections()[0].example == "g1 shares its gateway's lane, 2/2 in use"
    found, lines = candidates(TWO, waits, known("g2", 1), known("g3", 6), probes=seen)
    assert free(lines) == ["g1", "g2"]
    found.follow(AgentName("g2"), 1)
    assert free(lines) == [], "the other took the last of it"
    again, lines = candidates(TWO, waits, known("g2", 1), known("g3", 6), probes=seen)
    again.follow(AgentName("g1"), 1)
    assert free(lines) == []
    assert again.rejections()[0].example == "g1 is on trial with another task"


def test_what_one_of_a_lane_gets_counts_for_all_of_it() -> None:
    agents = known("g1", 1), known("g2", 1), known("g3", 1)
    seen = probes(g1=4, g2=4, g3=1)
    found, lines = candidates(TWO, *agents, probes=seen)
    found.follow(AgentName("g2"), 1)
    assert free(lines) == ["g1", "g2", "g3"]
    found.follow(AgentName("g1"), 1)
    assert free(lines) == ["g3"], "a lane of its own is as wide as the file says"
    (told,) = found.rejections()
    assert (told.agents, told.left) == (("g1", "g2"), 1)
    given, _ = candidates(TWO, *agents, probes=seen, given={"g1": 1, "g2": 1})
    assert given.rejections() == found.rejections()


def test_what_one_of_a_lane_gets_takes_no_slot_of_another() -> None:
    narrow = replace(TWO, agents={n: replace(a, slots=1) for n, a in TWO.agents.items()})
    found, lines = candidates(
        narrow, known("g1"), known("g2"), known("g3"), probes=probes(g1=9, g2=9)
    )
    found.follow(AgentName("g2"), 1)
    assert free(lines) == ["g1", "g3"]


def test_an_agent_of_a_lane_that_is_not_in_the_line_takes_room_all_the_same() -> None:
    spec = fleet(gateway("g1"), gateway("x1", pool="other"), gateway("g2"))
    agents = known("g1"), known("x1"), known("g2")
    found, lines = candidates(spec, *agents, probes=probes(g1=2, x1=2, g2=2))
    found.follow(AgentName("x1"), 1)
    assert free(lines) == ["g1", "g2"]
    found.follow(AgentName("x1"), 2)
    assert free(lines) == []
    (told,) = [r for r in found.rejections() if r.rule is Rule.SLOTS]
    assert told.agents == ("g1", "g2")


def test_a_lane_does_not_bring_back_who_is_out_of_service() -> None:
    seen = probes(g1=3, g2=3)
    down = known("g2", health=Health.DOWN)
    found, lines = candidates(TWO, known("g1"), down, known("g3"), probes=seen)
    found.follow(AgentName("g1"), 1)
    assert free(lines) == ["g1", "g3"]
    new, lines = candidates(TWO, known("g1"), known("g3"), probes=seen)
    new.follow(AgentName("g1"), 1)
    assert free(lines) == ["g1", "g3"]
    failed = ProbeFailure(agent=AgentName("g2"), observed_at_ms=0, kind=FailureKind.TIMEOUT)
    mixed: dict[AgentName, ProbeResult] = {**probes(g1=1), AgentName("g2"): failed}
    _, lines = candidates(TWO, known("g1", 1), known("g2"), known("g3"), probes=mixed)
    assert free(lines) == ["g3"]


# Which pool, and whether others would do


def test_the_home_comes_first_and_an_overflow_pool_when_it_is_full() -> None:
    spec = fleet(
        agent("a1", slots=1),
        agent("b1", pool="big", capabilities=["gpu"]),
        overflow=["big"],
    )
    for runs, pool in ((0, "general"), (1, "big")):
        found, _ = candidates(spec, known("a1", runs), known("b1"))
        stood = found.home()
        assert stood is not None
        assert stood.pool.name == pool
    full, _ = candidates(spec, known("a1", 1), known("b1", 2))
    stood = full.home()
    assert stood is not None
    assert (stood.pool.name, len(stood)) == ("general", 0)
    assert candidates(fleet())[0].home() is None


def test_others_are_those_that_take_work_now_or_once_they_have_a_slot() -> None:
    spec = fleet(agent("a1"), agent("a2"))
    a1, a2 = AgentName("a1"), AgentName("a2")
    for other, counts in (
        (known("a2", 2), True),
        (known("a2", health=Health.DOWN), False),
        (known("a2", cordon=CordonRecord(by="me", reason="", since_ms=1)), False),
    ):
        found, _ = candidates(spec, known("a1"), other)
        assert found.has_others(frozenset({a1})) == counts
        assert not found.has_others(frozenset({a1, a2}))
        assert not found.has_others(NOBODY)
    assert not candidates(spec, known("a1"))[0].has_others(frozenset({a1}))


@pytest.mark.parametrize(
    ("rule", "wanted", "text"),
    [
        (Rule.PIN, "agent-01", "pinned to agent-01"),
        (Rule.CAPABILITY, "gpu", "capability gpu"),
        (Rule.HOME, "eu", "home pool eu"),
        (Rule.SLOTS, "a free slot", "a free slot"),
        (Rule.CORDON, "", "cordon"),
        (Rule.STATE, "", "state"),
    ],
)
def test_what_a_rule_asked_for_is_told_in_words(rule: Rule, wanted: str, text: str) -> None:
    assert Rejection(rule=rule, wanted=wanted, count=1, left=0).text == text
