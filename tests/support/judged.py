"""An agent and looks at it, for tests of what looks add up to."""

from fleet_tui.core.agents.health import FRESH, judge
from fleet_tui.core.agents.model import AgentState
from fleet_tui.core.agents.vitals import FailureKind, ProbeFailure, ProbeResult, VitalsReading
from fleet_tui.core.fleet import ProbeSpec
from fleet_tui.core.ids import AgentName
from fleet_tui.core.ledger.events import Event
from fleet_tui.core.text.untrusted import Untrusted
from tests.support.fleets import agent, fleet
from tests.support.ledger import Story

A1 = AgentName("a1")
PROBE = ProbeSpec(down_after=3, up_after=2)


class Judged:
    """One agent under the judge's eyes."""

    def __init__(self) -> None:
        self.story = Story(fleet(agent("a1")))
        self.watch = FRESH

    @property
    def agent(self) -> AgentState:
        return self.story.state.agents[A1]

    def see(self, look: ProbeResult) -> list[Event]:
        self.story.now_ms += 5_000
        self.watch, events = judge(self.watch, self.agent, look, PROBE, self.story.now_ms)
        self.story.add(*events)
        return events

    def good(self, **extra: object) -> list[Event]:
        return self.see(reading(**extra))

    def bad(self, kind: FailureKind = FailureKind.SSH_UNREACHABLE, words: str = "") -> list[Event]:
        said = Untrusted(words)
        return self.see(ProbeFailure(agent=A1, observed_at_ms=0, kind=kind, detail=said))


def reading(**extra: object) -> VitalsReading:
    fields: dict[str, object] = {
        "agent": A1,
        "observed_at_ms": 0,
        "latency_ms": 1.0,
        "version": "1",
        "boot_id": "b1",
    }
    return VitalsReading(**(fields | extra))  # type: ignore[arg-type]  # checked by the struct


def failure(kind: FailureKind, words: str = "") -> ProbeFailure:
    return ProbeFailure(agent=A1, observed_at_ms=0, kind=kind, detail=Untrusted(words))
