"""Alerts and the mass-failure brake follow the state, both ways."""

from msgspec.structs import replace

from fleet_tui.core.agents.brake import reconcile_brake
from fleet_tui.core.agents.events import (
    AgentIdentified,
    FailoverBraked,
    FailoverResumed,
    HealthChanged,
)
from fleet_tui.core.agents.model import Health
from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.core.alerting.alerts import (
    HELD_ALERT_AFTER_MS,
    OLD_WAIT_ALERT_AFTER_MS,
    STARTING_ALERT_AFTER_MS,
    conditions,
    reconcile_alerts,
)
from fleet_tui.core.alerting.events import AlertAcked
from fleet_tui.core.alerting.model import Severity
from fleet_tui.core.engine.events import FleetLoaded
from fleet_tui.core.ids import AgentName
from fleet_tui.core.routing.schedule import Router
from fleet_tui.core.text.untrusted import Untrusted
from tests.support.fleets import agent, fleet, work
from tests.support.ledger import Story


def settle(story: Story) -> dict[str, Severity]:
    story.add(*reconcile_alerts(story.state, story.now_ms))
    assert reconcile_alerts(story.state, story.now_ms) == []
    return {a.id: a.severity for a in story.state.alerts.values()}


def test_a_lost_agent_raises_one_alert_that_resolves_by_itself() -> None:
    story = Story(fleet(agent("a1"), agent("a2")))
    story.all_up()
    assert settle(story) == {}
    story.health("a1", Health.DOWN)
    assert settle(story) == {"agent-down:a1": Severity.CRIT}
    story.health("a1", Health.UP)
    assert settle(story) == {}
    assert [a.id for a in story.state.closed_alerts] == ["agent-down:a1"]


def test_an_empty_pool_says_how_many_are_out_of_service_now() -> None:
    story = Story(fleet(agent("a1"), agent("a2")))
    story.health("a1", Health.DOWN)
    assert "pool-empty:general" in settle(story)
    story.health("a2", Health.DOWN)
    settle(story)
    (alert,) = (a for a in story.state.alerts.values() if a.id == "pool-empty:general")
    assert alert.text == "no agent in service (2 out of service)"


def test_an_open_alert_says_what_is_wrong_now_and_stays_the_same_alert() -> None:
    story = Story(fleet(agent("a1"), agent("a2")))
    story.all_up()

    def lost(kind: FailureKind, words: str) -> None:
        agent = story.state.agents[AgentName("a1")]
        story.add(
            HealthChanged(
                agent=agent.name,
                health=Health.UNREACHABLE,
                was=agent.health,
                reason=f"3 failed probes in a row: {kind.text}",
                failure=kind,
                detail=Untrusted(words),
            )
        )
        settle(story)

    lost(FailureKind.TIMEOUT, "still connecting")
    (raised,) = story.state.alerts.values()
    story.add(AlertAcked(alert=raised.id, by="ann"))
    story.now_ms += 60_000
    kind = FailureKind.SSH_HOST_KEY
    lost(kind, "the key changed")
    (alert,) = story.state.alerts.values()
    assert alert.text == f"unreachable: 3 failed probes in a row: {kind.text}"
    assert alert.detail.raw == "the key changed"
    assert (alert.id, alert.raised_at_ms, alert.acked_by) == (raised.id, raised.raised_at_ms, "ann")
    assert not story.state.closed_alerts


def test_a_pool_without_anyone_in_service_is_critical() -> None:
    story = Story(fleet(agent("a1")))
    story.all_up()
    story.cordon("a1")
    assert settle(story) == {"pool-empty:general": Severity.CRIT}


def test_one_missed_look_at_the_only_agent_wakes_nobody() -> None:
    story = Story(fleet(agent("a1")))
    story.all_up()
    story.health("a1", Health.SUSPECT)
    assert settle(story) == {}
    story.health("a1", Health.UNREACHABLE)
    assert "pool-empty:general" in settle(story)


def test_held_work_raises_an_alert_after_a_while() -> None:
    story = Story(fleet(agent("a1")))
    story.all_up()
    story.submit(work(needs=["gpu"]))
    story.add(*Router(story.state.fleet).schedule(story.state, {}, story.now_ms))
    assert settle(story) == {}
    story.now_ms += HELD_ALERT_AFTER_MS
    assert settle(story) == {"held:tasks": Severity.WARN}


def test_most_of_a_pool_lost_at_once_freezes_its_failover_until_it_is_back() -> None:
    story = Story(fleet(*(agent(f"a{n}") for n in range(5))))
    story.all_up()
    story.health("a0", Health.UNREACHABLE)
    story.health("a1", Health.UNREACHABLE)
    assert reconcile_brake(story.state, story.now_ms) == []
    story.health("a2", Health.UNREACHABLE)
    (frozen,) = reconcile_brake(story.state, story.now_ms)
    assert isinstance(frozen, FailoverBraked)
    story.add(frozen)
    assert reconcile_brake(story.state, story.now_ms + 600_000) == []
    story.health("a2", Health.UP)
    (thawed,) = reconcile_brake(story.state, story.now_ms)
    assert isinstance(thawed, FailoverResumed)


def test_agents_that_leave_the_fleet_file_and_come_back_have_yet_to_answer() -> None:
    spec = fleet(*(agent(f"a{n}") for n in range(4)))
    story = Story(spec)
    story.all_up()
    for n in range(3):
        story.health(f"a{n}", Health.UNREACHABLE)
    story.add(*reconcile_brake(story.state, story.now_ms))
    left = replace(spec, agents={n: a for n, a in spec.agents.items() if n != "a0"})
    for changed in (left, spec):
        story.add(FleetLoaded(spec=changed, by="me"))
        assert reconcile_brake(story.state, story.now_ms) == []
    story.health("a0", Health.UP)
    (thawed,) = reconcile_brake(story.state, story.now_ms)
    assert isinstance(thawed, FailoverResumed)


def test_a_frozen_pool_is_one_alert_and_not_one_for_each_of_its_agents() -> None:
    story = Story(fleet(*(agent(f"a{n}") for n in range(4)), agent("b", pool="other")))
    story.all_up()
    for n in range(3):
        story.health(f"a{n}", Health.UNREACHABLE)
    story.health("b", Health.DOWN)
    assert len(conditions(story.state, story.now_ms)) == 5
    story.add(*reconcile_brake(story.state, story.now_ms))
    story.health("a3", Health.UNREACHABLE)
    left = set(conditions(story.state, story.now_ms))
    assert left == {"failover-frozen:general", "agent-down:b", "pool-empty:other"}
    # Who is still away once the others are back is told by name again.
    story.health("a0", Health.UP)
    story.health("a1", Health.UP)
    story.add(*reconcile_brake(story.state, story.now_ms))
    assert "agent-unreachable:a2" in conditions(story.state, story.now_ms)


def test_slow_losses_are_no_mass_failure() -> None:
    story = Story(fleet(*(agent(f"a{n}") for n in range(4))))
    story.all_up()
    for n in range(4):
        story.now_ms += 61_000
        story.health(f"a{n}", Health.DOWN)
        assert reconcile_brake(story.state, story.now_ms) == []


def test_names_that_never_answered_are_not_lost_and_freeze_no_pool() -> None:
    new = [f"n{number}" for number in range(8)]
    story = Story(fleet(agent("a1"), agent("a2"), *(agent(name) for name in new)))
    for name in ("a1", "a2"):
        story.health(name, Health.UP)
    for name in new:
        story.health(name, Health.UNREACHABLE)
    assert reconcile_brake(story.state, story.now_ms) == []
    for name in new[:4]:
        story.health(name, Health.UP)
    story.now_ms += 1_000
    for name in [*new[:4], "a1"]:
        story.health(name, Health.UNREACHABLE)
    (frozen,) = reconcile_brake(story.state, story.now_ms)
    assert isinstance(frozen, FailoverBraked)
    assert frozen.reason == "5 of 6 agents lost within a minute"


def test_an_agent_that_answers_for_the_first_time_is_not_lost_at_that_moment() -> None:
    """It is identified by its first successful probe, and up after some of them."""
    story = Story(fleet(*(agent(f"a{n}") for n in range(3))))
    for name in ("a0", "a1"):
        story.health(name, Health.UP)
    for name in ("a0", "a1", "a2"):
        story.health(name, Health.UNREACHABLE)
    assert reconcile_brake(story.state, story.now_ms) == []
    story.add(AgentIdentified(agent=AgentName("a2"), version="2026.9.6", boot_id="b"))
    assert reconcile_brake(story.state, story.now_ms) == []


def test_starting_is_out_of_service_nowhere_or_everywhere() -> None:
    story = Story(fleet(agent("a1"), agent("a2")))
    story.all_up()
    for name in ("a1", "a2"):
        story.health(name, Health.STARTING)
    assert conditions(story.state, story.now_ms) == {}
    late = set(conditions(story.state, story.now_ms + STARTING_ALERT_AFTER_MS))
    assert late == {"agent-starting:a1", "agent-starting:a2", "pool-empty:general"}


def test_a_token_that_is_missing_everywhere_is_named_by_the_pools_alert() -> None:
    story = Story(fleet(*(agent(f"a{n}") for n in range(4))))
    story.all_up()
    said = Untrusted("~/.openclaw/openclaw.json on the host: missing")
    for name in list(story.state.agents):
        story.add(
            HealthChanged(
                agent=name,
                health=Health.UNREACHABLE,
                was=Health.UP,
                reason="a secret that it needs cannot be read, needs an operator",
                failure=FailureKind.SECRET_MISSING,
                detail=said,
            )
        )
    story.add(*reconcile_brake(story.state, story.now_ms))
    (alert,) = (
        c for a, c in conditions(story.state, story.now_ms).items() if a.startswith("failover")
    )
    assert "4 of them: a secret that it needs cannot be read, needs an operator" in alert.text
    assert alert.detail == said


def test_a_long_wait_says_whether_it_is_for_a_slot_or_for_agents_that_are_away() -> None:
    story = Story(fleet(agent("a1", slots=1), agent("a2")))
    story.all_up()
    story.health("a2", Health.DOWN)
    router = Router(story.state.fleet)
    story.submit(replace(work(), agent=AgentName("a2")))
    story.add(*router.schedule(story.state, {}, story.now_ms))
    later = story.now_ms + OLD_WAIT_ALERT_AFTER_MS
    assert {i for i in conditions(story.state, later) if "wait" in i} == {"long-wait:agents"}
    story.submit_many(replace(work(), agent=AgentName("a1")), 2)
    story.add(*router.schedule(story.state, {}, story.now_ms))
    later = story.now_ms + OLD_WAIT_ALERT_AFTER_MS
    found = conditions(story.state, later)
    assert {i for i in found if "wait" in i} == {"long-wait:agents", "long-wait:tasks"}
