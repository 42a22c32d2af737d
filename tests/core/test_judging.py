"""What one probe tells of an agent in each of its states, and what the judge remembers of it."""

import msgspec
import pytest

from fleet_tui.core.agents.breaker import Breaker
from fleet_tui.core.agents.events import HealthChanged
from fleet_tui.core.agents.health import FLAP_LIMIT, FRESH, QUARANTINE, Watch, judge
from fleet_tui.core.agents.model import AgentState, Health
from fleet_tui.core.agents.vitals import FailureKind, ProbeFailure, ProbeResult
from fleet_tui.core.fleet import ProbeSpec
from fleet_tui.core.ledger.events import Event
from fleet_tui.core.text.untrusted import Untrusted
from tests.support.judged import A1, PROBE, Judged, failure, reading


def told(health: Health, look: ProbeResult, watch: Watch = FRESH, **known: object) -> list[Event]:
    """What a look tells of an agent that is in this state and known by that reading."""
    before = AgentState(name=A1, health=health, version="1", boot_id="b1", **known)  # type: ignore[arg-type]  # checked by the struct
    _, events = judge(watch, before, look, PROBE, 1_000_000)
    return events


def change(was: Health, now: Health, reason: str, said: ProbeFailure | None = None) -> Event:
    return HealthChanged(
        agent=A1,
        health=now,
        was=was,
        reason=reason,
        failure=said.kind if said is not None else None,
        detail=said.detail if said is not None else Untrusted(""),
    )


@pytest.mark.parametrize("health", Health)
def test_an_agent_that_says_it_is_not_ready_rests_and_is_told_so_once(health: Health) -> None:
    for note, drains, resting in (
        ("closes at noon", True, Health.DRAINING),
        ("starts its drain pump", False, Health.STARTING),
    ):
        stays = health in (resting, Health.QUARANTINED, Health.RETIRED)
        events = told(health, reading(ready=False, draining=drains, note=note))
        assert events == ([] if stays else [change(health, resting, note)])
    if health is Health.UP:
        unsaid = told(health, reading(ready=False))
        assert unsaid == [change(health, Health.STARTING, "starting")]


@pytest.mark.parametrize("health", Health)
@pytest.mark.parametrize(
    ("kind", "resting"),
    [
        (FailureKind.GATEWAY_STARTING, Health.STARTING),
        (FailureKind.GATEWAY_DRAINING, Health.DRAINING),
    ],
)
def test_an_agent_that_starts_or_drains_is_told_so_once_in_its_words(
    health: Health, kind: FailureKind, resting: Health
) -> None:
    said = failure(kind, "not yet")
    stays = health in (resting, Health.QUARANTINED, Health.RETIRED)
    assert told(health, said) == ([] if stays else [change(health, resting, kind.text, said)])


@pytest.mark.parametrize("health", Health)
def test_an_agent_that_the_engine_could_not_look_at_gets_no_tasks_and_is_not_blamed(
    health: Health,
) -> None:
    said = failure(FailureKind.NO_DESCRIPTORS, "EMFILE")
    why = "not probed: the engine has no file descriptors left"
    events = told(health, said)
    assert events == ([change(health, Health.SUSPECT, why, said)] if health.takes_work else [])
    judged = Judged()
    judged.good()
    for _ in range(10):
        judged.bad(FailureKind.NO_DESCRIPTORS)
    assert judged.agent.health is Health.SUSPECT
    assert judged.watch.misses == 0


@pytest.mark.parametrize("health", Health)
def test_a_miss_takes_an_agent_out_only_where_it_was_in_or_about_to_be(health: Health) -> None:
    said = failure(FailureKind.TIMEOUT, "no answer")
    in_reach = health in (Health.UP, Health.DEGRADED, Health.STARTING, Health.DRAINING)
    suspect = change(health, Health.SUSPECT, "probe failed: it did not answer in time", said)
    waits = change(health, health, "1 failed probe: it did not answer in time", said)
    joins = [waits] if health is Health.JOINING else []
    assert told(health, said) == ([suspect] if in_reach else joins)


@pytest.mark.parametrize(
    ("misses", "reason"),
    [
        (0, "1 failed probe: it did not answer in time"),
        (1, "2 failed probes in a row: it did not answer in time"),
    ],
)
def test_a_lost_agent_is_told_with_how_many_looks_it_missed(misses: int, reason: str) -> None:
    story = AgentState(name=A1, health=Health.SUSPECT)
    said = failure(FailureKind.TIMEOUT, "no answer")
    probe = ProbeSpec(down_after=misses + 1, up_after=2)
    _, events = judge(
        Watch(misses=misses, kind=said.kind, kind_misses=misses), story, said, probe, 1_000
    )
    assert events == [change(Health.SUSPECT, Health.UNREACHABLE, reason, said)]


@pytest.mark.parametrize(
    ("health", "goods", "reason"),
    [
        (Health.JOINING, 0, "first probe answered"),
        (Health.STARTING, 0, "answers again"),
        (Health.DRAINING, 0, "answers again"),
        (Health.SUSPECT, 0, "answers again"),
        (Health.DEGRADED, 1, "healthy again"),
        (Health.UNREACHABLE, 1, "2 successful probes in a row"),
        (Health.DOWN, 3, "4 successful probes in a row"),
        (Health.QUARANTINED, 1, "2 successful probes in a row"),
    ],
)
def test_why_an_agent_is_back(health: Health, goods: int, reason: str) -> None:
    watch = Watch(goods=goods, well=goods)
    events = told(health, reading(), watch, quarantine_until_ms=1_000_000)
    assert events == [change(health, Health.UP, reason)]


def test_one_good_look_that_brings_an_agent_back_is_no_row_of_looks() -> None:
    events = told(Health.DOWN, reading(), failure=FailureKind.SSH_AUTH)
    assert events == [change(Health.DOWN, Health.UP, "1 successful probe")]


@pytest.mark.parametrize(
    ("until_ms", "is_back"), [(None, True), (999_999, True), (1_000_000, True), (1_000_001, False)]
)
def test_a_quarantine_ends_at_its_instant(until_ms: int | None, is_back: bool) -> None:
    events = told(Health.QUARANTINED, reading(), Watch(goods=1), quarantine_until_ms=until_ms)
    assert bool(events) == is_back
    assert told(Health.QUARANTINED, reading(), quarantine_until_ms=1) == [], "one look is too few"


MIB = 2**20


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"loop_lag_ms_p99": 499.9}, ""),
        ({"loop_lag_ms_p99": 500.0}, "event loop 500 ms late (p99)"),
        ({"disk_free_bytes": 256 * MIB}, ""),
        ({"disk_free_bytes": 256 * MIB - 1}, "disk almost full: 255 MiB free"),
        ({"disk_free_bytes": 0}, "disk almost full: 0 MiB free"),
        ({"memory_percent": 96.9}, ""),
        ({"memory_percent": 97.0}, "memory 97 % used"),
        ({"clock_skew_ms": 599_999.0}, ""),
        ({"clock_skew_ms": 600_000.0}, "its host's clock is 10m00s ahead"),
        ({"clock_skew_ms": -600_000.0}, "its host's clock is 10m00s behind"),
    ],
)
def test_from_which_value_on_an_agent_is_not_well(found: dict[str, object], words: str) -> None:
    events = told(Health.UP, reading(**found), Watch(strained=1))
    assert events == ([change(Health.UP, Health.DEGRADED, words)] if words else [])


TRIPPED = Breaker(
    since_ms=1, until_ms=2, harmless=True, reason="refused 3 in a row", detail=Untrusted("no")
)
KEPT_OUT = HealthChanged(
    agent=A1,
    health=Health.SUSPECT,
    was=Health.UP,
    reason="refused 3 in a row",
    detail=Untrusted("no"),
)


def test_an_agent_that_answers_and_whose_work_fails_is_kept_out_and_told_so_once() -> None:
    for health in (Health.UP, Health.DEGRADED, Health.JOINING, Health.STARTING):
        events = told(health, reading(), breaker=TRIPPED)
        assert events == [msgspec.structs.replace(KEPT_OUT, was=health)]
    assert told(Health.SUSPECT, reading(), breaker=TRIPPED) == []
    missed = told(Health.SUSPECT, reading(), breaker=TRIPPED, failure=FailureKind.TIMEOUT)
    assert missed == [msgspec.structs.replace(KEPT_OUT, was=Health.SUSPECT)], "it answers now"
    assert told(Health.DOWN, reading(), breaker=TRIPPED) == [], "that it is back is not sure yet"


def test_an_agent_that_joins_says_from_the_first_miss_on_why_it_has_not_come() -> None:
    judged = Judged()
    said = failure(FailureKind.SSH_UNREACHABLE, "no such name")
    why = f"1 failed probe: {said.kind.text}"
    assert judged.bad(said.kind, "no such name") == [
        change(Health.JOINING, Health.JOINING, why, said)
    ]
    assert judged.agent.health is Health.JOINING
    assert judged.bad(said.kind, "no such name at all") == []
    judged = Judged()
    judged.bad(said.kind)
    (event,) = judged.bad(FailureKind.SSH_PROTOCOL)
    assert isinstance(event, HealthChanged)
    assert (event.health, event.failure) == (Health.JOINING, FailureKind.SSH_PROTOCOL)
    judged.good()
    assert (judged.agent.health, judged.agent.failure) == (Health.UP, None)


# What is counted in a row, and what ends the row


def test_whoever_starts_or_drains_misses_nothing() -> None:
    judged = Judged()
    judged.good()
    judged.bad()
    judged.bad()
    judged.bad(FailureKind.GATEWAY_STARTING)
    judged.bad()
    judged.bad()
    assert judged.agent.health is Health.SUSPECT
    judged.see(reading(ready=False))
    judged.bad()
    judged.bad()
    assert judged.agent.health is Health.SUSPECT
    judged.bad()
    assert judged.agent.health is Health.UNREACHABLE


def test_an_answer_of_any_kind_ends_what_was_missed_and_a_miss_what_was_answered() -> None:
    row = Watch(misses=2, goods=2, strained=2, well=2, kind=FailureKind.TIMEOUT, kind_misses=2)
    row = msgspec.structs.replace(row, detail=Untrusted("x"), detail_misses=2)
    agent = AgentState(name=A1, health=Health.QUARANTINED)

    def seen(look: ProbeResult) -> tuple[int, int, int, int, int, int]:
        now, _ = judge(row, agent, look, PROBE, 1_000_000)
        misses = now.misses, now.kind_misses, now.detail_misses
        return (*misses, now.goods, now.strained, now.well)

    assert seen(reading()) == (0, 0, 0, 3, 0, 3)
    assert seen(reading(memory_percent=99.0)) == (0, 0, 0, 3, 3, 0)
    assert seen(reading(ready=False)) == (0, 0, 0, 0, 0, 0)
    assert seen(failure(FailureKind.TIMEOUT, "x")) == (3, 3, 3, 0, 0, 0)
    assert seen(failure(FailureKind.TIMEOUT, "y")) == (3, 3, 1, 0, 0, 0)
    assert seen(failure(FailureKind.INTERNAL, "y")) == (3, 1, 1, 0, 0, 0)
    assert seen(failure(FailureKind.GATEWAY_STARTING, "x")) == (0, 1, 3, 0, 0, 0)


def test_other_words_count_only_when_they_come_in_a_row() -> None:
    judged, kind = Judged(), FailureKind.CANNOT_WORK
    judged.bad(kind, "no space left")
    for _ in range(4):
        assert judged.bad(kind, "read-only") == []
        assert judged.bad(kind, "read-only") == []
        judged.good()
    assert judged.agent.detail.raw == "no space left"


def test_another_failure_of_a_lost_agent_is_told_at_its_third_miss_in_a_row() -> None:
    judged = Judged()
    for _ in range(3):
        judged.bad(FailureKind.TIMEOUT)
    events = [judged.bad(FailureKind.GATEWAY_DOWN) for _ in range(4)]
    assert [len(e) for e in events] == [0, 0, 1, 0]


@pytest.mark.parametrize(("since_ms", "is_told"), [(599_999, False), (600_000, True)])
def test_words_are_corrected_again_after_ten_minutes(since_ms: int, is_told: bool) -> None:
    said = failure(FailureKind.TIMEOUT, "other")
    watch = Watch(
        misses=9,
        kind=FailureKind.TIMEOUT,
        kind_misses=9,
        detail=said.detail,
        detail_misses=9,
        retold_ms=1_000_000 - since_ms,
    )
    events = told(Health.UNREACHABLE, said, watch, failure=FailureKind.TIMEOUT)
    assert bool(events) == is_told


@pytest.mark.parametrize("health", Health)
def test_every_change_of_health_lets_its_words_be_corrected_at_once(health: Health) -> None:
    watch = Watch(misses=9, retold_ms=999_999, falls_ms=(999_999,) * FLAP_LIMIT)
    before = AgentState(name=A1, health=health, version="1", boot_id="b1")
    probes: tuple[ProbeResult, ...] = (
        reading(),
        reading(ready=False),
        reading(ready=False, draining=True),
        *(failure(kind) for kind in FailureKind),
    )
    for look in probes:
        for row in (watch, msgspec.structs.replace(watch, misses=0), FRESH):
            after, events = judge(row, before, look, PROBE, 1_000_000)
            changes = [e for e in events if isinstance(e, HealthChanged)]
            is_other = any(event.health is not health for event in changes)
            if is_other:
                assert after.retold_ms is None, look
            elif not changes:
                assert after.retold_ms == row.retold_ms, look


def test_a_new_fall_lets_its_words_be_corrected_at_once() -> None:
    judged = Judged()
    for words in ("still connecting", "refused"):
        for _ in range(3):
            judged.bad(words=words)
    assert judged.agent.detail.raw == "refused"
    judged.good()
    judged.good()
    for words in ("still connecting", "reset"):
        for _ in range(3):
            judged.bad(words=words)
    assert judged.agent.detail.raw == "reset"


# Falls and stumbles


def fallen(
    falls_ms: tuple[int, ...], health: Health = Health.SUSPECT
) -> tuple[Watch, HealthChanged]:
    """After a fall at 1,000,000, with these before it."""
    watch = Watch(misses=PROBE.down_after - 1, falls_ms=falls_ms)
    agent = AgentState(name=A1, health=health)
    said = failure(FailureKind.TIMEOUT, "no answer")
    watch, (event,) = judge(watch, agent, said, PROBE, 1_000_000)
    assert isinstance(event, HealthChanged)
    assert (event.failure, event.detail) == (said.kind, said.detail)
    return watch, event


def test_the_fall_after_three_within_ten_minutes_is_flapping() -> None:
    recent = (400_000, 500_000, 600_000)
    watch, event = fallen(recent)
    assert event.health is Health.QUARANTINED
    assert event.reason == "flapping: went out of service 4 times in 10 minutes"
    assert event.quarantine_until_ms == 1_000_000 + QUARANTINE.base_ms
    assert (watch.falls_ms, watch.quarantines) == ((), 1), "they are atoned for"
    for fewer in (recent[1:], (399_999, *recent[1:])):
        watch, event = fallen(fewer)
        assert event.health is Health.UNREACHABLE
        assert watch.falls_ms == (*recent[1:], 1_000_000)


def test_an_agent_that_never_answered_does_not_fall() -> None:
    watch, event = fallen((400_000, 500_000, 600_000), Health.JOINING)
    assert event.health is Health.UNREACHABLE
    assert watch.falls_ms == (400_000, 500_000, 600_000)


@pytest.mark.parametrize("quarantines", [0, 1, 4, 5, 30])
def test_a_quarantine_is_twice_as_long_each_time_and_half_an_hour_at_most(
    quarantines: int,
) -> None:
    watch = Watch(misses=2, falls_ms=(999_997, 999_998, 999_999), quarantines=quarantines)
    agent = AgentState(name=A1, health=Health.SUSPECT)
    _, (event,) = judge(watch, agent, failure(FailureKind.TIMEOUT), PROBE, 1_000_000)
    assert isinstance(event, HealthChanged)
    assert event.quarantine_until_ms is not None
    minutes = {0: 1, 1: 2, 4: 16, 5: 30, 30: 30}[quarantines]
    assert event.quarantine_until_ms - 1_000_000 == minutes * 60_000


@pytest.mark.parametrize(("before_ms", "stays"), [(600_000, True), (600_001, False)])
def test_a_stumble_is_forgotten_after_ten_minutes(before_ms: int, stays: bool) -> None:
    """Whoever stumbled twice within them needs several successful probes."""
    watch = Watch(stumbles_ms=(1_000_000 - before_ms,))
    up = AgentState(name=A1, health=Health.UP, version="1", boot_id="b1")
    watch, (event,) = judge(watch, up, failure(FailureKind.TIMEOUT), PROBE, 1_000_000)
    assert isinstance(event, HealthChanged)
    assert watch.stumbles_ms == ((1_000_000 - before_ms,) if stays else ()) + (1_000_000,)
    suspect = msgspec.structs.replace(up, health=event.health)
    _, events = judge(watch, suspect, reading(), PROBE, 1_005_000)
    assert bool(events) != stays
