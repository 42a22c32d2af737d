"""Toasts: few, short, folded, above the keys and below the header; the messages keep all."""

from collections.abc import Mapping

import msgspec
from textual.widgets._toast import Toast as ToastWidget

from fleet_tui.console.shell.app import FleetApp
from fleet_tui.console.shell.messages import Loudness
from fleet_tui.console.shell.toasts import MAX_TOASTS, Storm, Toast, Toasts
from fleet_tui.core.alerting.model import Alert, Severity
from fleet_tui.core.ids import AgentName, AlertId
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.tasks.model import AttemptPhase, Task, TaskPhase
from tests.support.console import console, press, running, text_of, until
from tests.support.fake_feed import FakeFeed
from tests.support.scene import NOW_MS, agent_name, seeded_state


def crit(alert_id: str, subject: str, text: str = "3 failed probes in a row") -> Alert:
    return Alert(
        id=AlertId(alert_id),
        severity=Severity.CRIT,
        subject=subject,
        text=text,
        raised_at_ms=NOW_MS,
    )


def lost(name: AgentName, word: str = "unreachable") -> Alert:
    return crit(f"agent-{word}:{name}", name)


def told(state: FleetState, *alerts: Alert) -> list[str]:
    storm = Storm()
    storm.add(alerts, NOW_MS)
    return [text for _, text in storm.sentences(state, "7: alerts")]


def in_region(state: FleetState, region: str) -> list[AgentName]:
    return [name for name, spec in state.fleet.agents.items() if spec.region == region]


def test_many_lost_agents_are_one_sentence_with_what_they_share() -> None:
    state = seeded_state()
    names = in_region(state, "eu-w1")
    (text,) = told(state, *(lost(name) for name in names))
    assert text.startswith(f"{len(names)} agents unreachable: region eu-w1")
    assert text.endswith(" - 7: alerts")


def test_braked_pools_are_one_sentence() -> None:
    state = seeded_state()
    one, two = (crit(f"failover-frozen:{p}", p, "failover stopped: 7 of 9") for p in ("a", "b"))
    assert told(state, one) == ["failover stopped in a - 7: alerts"]
    assert told(state, one, two) == ["failover stopped in 2 pools: a, b - 7: alerts"]


def test_one_lost_agent_is_told_with_what_became_of_its_work() -> None:
    state = seeded_state()
    name = AgentName(agent_name(1))
    since_ms = state.agents[name].since_ms
    tried = [task for task in state.ended_tasks() if task.attempts][:4]
    first = tried[0].attempts[0]

    def task_of(at: int, *attempts: Mapping[str, object], phase: TaskPhase) -> Task:
        made = tuple(
            msgspec.structs.replace(first, number=n, **fields)
            for n, fields in enumerate(attempts, 1)
        )
        return msgspec.structs.replace(tried[at], attempts=made, phase=phase)

    died = {"agent": name, "phase": AttemptPhase.DIED, "ended_at_ms": since_ms}
    elsewhere = {"agent": agent_name(2), "phase": AttemptPhase.RUNNING, "ended_at_ms": None}
    unsure = {"agent": name, "phase": AttemptPhase.UNKNOWN, "ended_at_ms": None}
    tasks = [
        task_of(0, died, elsewhere, phase=TaskPhase.ACTIVE),
        task_of(1, died, elsewhere, phase=TaskPhase.ACTIVE),
        task_of(2, died, phase=TaskPhase.WAITING),
        task_of(3, unsure, phase=TaskPhase.ACTIVE),
    ]
    quiet = msgspec.structs.replace(state, closed_tasks={}, open_tasks={})
    assert told(quiet, lost(name, "down")) == ["agent-01 down - 7: alerts"], "nothing is known"
    open_tasks = {task.id: task for task in tasks}
    busy = msgspec.structs.replace(quiet, open_tasks=open_tasks)
    assert told(busy, lost(name, "down")) == [
        "agent-01 down - 2 tasks moved, 1 to be retried, 1 outcome unknown - 7: alerts"
    ]


def test_a_later_storm_is_news_of_its_own() -> None:
    state = seeded_state()
    storm = Storm()
    storm.add([lost(agent_name(1))], NOW_MS)
    storm.add([lost(agent_name(2))], NOW_MS + 2_000)
    (first,) = storm.sentences(state, "7: alerts")
    storm.add([lost(agent_name(3))], NOW_MS + 60_000)
    (second,) = storm.sentences(state, "7: alerts")
    assert "2 agents" in first[1]
    assert "agent-03" in second[1]
    assert first[0] != second[0]


def test_only_what_is_critical_is_a_toast() -> None:
    warning = msgspec.structs.replace(lost(agent_name(1)), severity=Severity.WARN)
    assert told(seeded_state(), warning) == []


def test_newer_toasts_push_older_ones_out_and_more_words_last_no_longer() -> None:
    toasts = Toasts()
    for number in range(MAX_TOASTS + 2):
        assert toasts.add(Toast(str(number), f"n{number}", Loudness.INFORMATION, 10.0 + number))
    assert [toast.key for toast in toasts.showing(0.0)] == ["2", "3", "4"]
    assert not toasts.add(Toast("2", "n2", Loudness.INFORMATION, 99.0)), "nothing new"
    assert toasts.add(Toast("2", "n2, more", Loudness.INFORMATION, 99.0))
    assert [toast.text for toast in toasts.showing(11.0)] == ["n2, more", "n3", "n4"]
    assert toasts.showing(14.0) == ()


def shown_toasts(app: FleetApp) -> list[ToastWidget]:
    return [toast for toast in app.screen.query(ToastWidget) if toast.region.height]


async def test_an_outage_leaves_header_banner_and_keys_readable() -> None:
    feed = FakeFeed()
    app = console(feed, banner="a banner")
    async with running(app, (80, 24)) as pilot:
        state = feed.view().state
        names = in_region(state, "eu-w1")
        half = len(names) // 2
        for some in (names[:half], names[half:]):
            alerts = {alert.id: alert for alert in map(lost, some)}
            feed.change_state(alerts={**feed.view().state.alerts, **alerts})
            await until(pilot, lambda: bool(shown_toasts(app)))
        frozen = {a.id: a for a in (crit(f"failover-frozen:{p}", p) for p in state.fleet.pools)}
        feed.change_state(alerts={**feed.view().state.alerts, **frozen})
        await until(pilot, lambda: f"{len(names)} agents unreachable: region" in text_of(app))
        await until(pilot, lambda: "failover stopped in 3 pools" in text_of(app))
        lines = text_of(app).splitlines()
        assert lines[0].rstrip().endswith("LIVE")
        assert lines[-2].strip() == "a banner"
        assert lines[-1].rstrip().endswith("q back")
        assert len(shown_toasts(app)) == 2
        assert sum(toast.region.height for toast in shown_toasts(app)) <= 4
        await press(pilot, "at")
        await until(pilot, lambda: "Messages - " in text_of(app))
        kept = [notice.text for notice in app.notices]
        for name in names:
            assert f"{name} 3 failed probes in a row" in kept


async def test_never_more_than_a_few_toasts() -> None:
    app = console()
    async with running(app) as pilot:
        for number in range(9):
            app.tell(f"news {number} " + "and more " * 40)
        await until(pilot, lambda: "news 8" in text_of(app))
        assert "news 5" not in text_of(app)
        assert len(shown_toasts(app)) == MAX_TOASTS
        assert min(toast.region.y for toast in shown_toasts(app)) > 1
        assert len(app.notices) == 9
