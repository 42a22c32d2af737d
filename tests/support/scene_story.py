"""The scene goes on: agent-09 is lost, its work moves, and it comes back. One beat per step."""

from collections.abc import Iterator

import msgspec

from fleet_tui.core.agents.model import Health
from fleet_tui.core.agents.vitals import FailureKind, ProbeFailure
from fleet_tui.core.alerting.model import Alert, Severity
from fleet_tui.core.ids import AlertId, Seq
from fleet_tui.core.logs import Level, LogLine
from fleet_tui.core.text.untrusted import Untrusted
from tests.support.fake_feed import FakeFeed
from tests.support.scene import agent_name

LOST = agent_name(9)
ALERT = AlertId(f"agent-down:{LOST}")


def story(feed: FakeFeed) -> Iterator[str]:
    """Move the world by a beat at each step; yields what an operator must now see."""
    feed.tick(3_000)
    _miss(feed)
    feed.change_agent(LOST, health=Health.SUSPECT, since_ms=feed.view().now_ms)
    yield "▲ suspect     agent-09"
    feed.tick(10_000)
    _miss(feed)
    _lose(feed)
    yield "✗ unreachable agent-09"
    yield "agent-09 lost"
    _fail_over(feed)
    yield "retry 2/3 after agent-09 was lost"
    feed.tick(20_000)
    state = feed.view().state
    feed.change_agent(LOST, health=Health.UP, failure=None)
    feed.change_state(alerts={k: v for k, v in state.alerts.items() if k != ALERT})
    yield "●17 ▲1 ✗1 ◐1"


def _miss(feed: FakeFeed) -> None:
    view = feed.view()
    missed = ProbeFailure(agent=LOST, observed_at_ms=view.now_ms, kind=FailureKind.SSH_UNREACHABLE)
    feed.push(probes={**view.probes, LOST: missed})


def _lose(feed: FakeFeed) -> None:
    view = feed.view()
    alert = Alert(
        id=ALERT,
        severity=Severity.CRIT,
        subject=LOST,
        text="lost: ssh does not answer",
        raised_at_ms=view.now_ms,
    )
    feed.change_agent(LOST, health=Health.UNREACHABLE, failure=FailureKind.SSH_UNREACHABLE)
    feed.change_state(alerts={**view.state.alerts, ALERT: alert})
    feed.say(
        LogLine(
            received_at_ms=view.now_ms,
            source=None,
            level=Level.ERROR,
            text=Untrusted("probe: agent-09 lost, its tasks move"),
        )
    )


def _fail_over(feed: FakeFeed) -> None:
    view = feed.view()
    last = view.state.decisions[-1]
    moved = msgspec.structs.replace(
        last,
        seq=Seq(last.seq + 1),
        at_ms=view.now_ms,
        attempt=2,
        decision=msgspec.structs.replace(last.decision, note="retry 2/3 after agent-09 was lost"),
    )
    feed.change_state(decisions=(*view.state.decisions, moved))
