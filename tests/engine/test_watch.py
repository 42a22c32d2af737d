"""What an engine is short of: a slow disk, places for connections, descriptors, lost files."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_tui.core.agents.health import FRESH, judge
from fleet_tui.core.agents.model import AgentState, Health
from fleet_tui.core.agents.vitals import FailureKind, ProbeFailure
from fleet_tui.core.alerting.alerts import conditions, reconcile_troubles
from fleet_tui.core.engine.events import EngineTroubled
from fleet_tui.core.ids import AgentName, AlertId, Epoch, Seq
from fleet_tui.core.ledger.events import Recorded
from fleet_tui.core.ledger.fold import fold
from fleet_tui.core.ledger.state import EMPTY_STATE
from fleet_tui.core.modes import Trouble
from fleet_tui.engine.descriptors import LEAST, budget
from fleet_tui.engine.watch import (
    MIN_SLOW,
    REMADE_KEPT_S,
    RETELL_AFTER_S,
    SLOW_COMMIT_S,
    SLOW_WINDOW_S,
    Watchman,
    slow_disk,
)
from fleet_tui.journal.errors import JournalUnavailable
from fleet_tui.wire.ssh.places import KEPT_S, Places
from tests.support.fleets import agent


@dataclass
class FakeLedger:
    behind: JournalUnavailable | None = None
    remade: list[str] = field(default_factory=list)
    times: list[tuple[float, float]] = field(default_factory=list)

    def take_remade(self) -> list[str]:
        names, self.remade = self.remade, []
        return names

    def commit_times(self) -> list[tuple[float, float]]:
        return self.times


@dataclass
class FakeDoor:
    gone: bool = False
    refuses: OSError | None = None

    async def stay(self) -> bool:
        if self.refuses is not None:
            raise self.refuses
        was, self.gone = self.gone, False
        return was


class Watched:
    """A watchman whose clock is set by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ledger, self.door, self.short = FakeLedger(), FakeDoor(), ""
        self.now_s = 1_000.0
        self.told: Mapping[Trouble, str] = {}
        self.man = Watchman(self.ledger, self.door, self._tell, lambda: self.short)
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: self.now_s, raising=False)

    def _tell(self, troubles: Mapping[Trouble, str]) -> None:
        self.told = troubles

    async def look(self, later_s: float = 2.0) -> Mapping[Trouble, str]:
        self.now_s += later_s
        await self.man.look()
        return self.told


async def test_a_lost_socket_and_files_are_told_and_forgotten_after_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watched = Watched(monkeypatch)
    assert await watched.look() == {}
    watched.door.gone = True
    watched.ledger.remade = ["head"]
    told = await watched.look()
    assert "engine.sock, head" in told[Trouble.FILES_REPLACED]
    assert Trouble.FILES_REPLACED in await watched.look(REMADE_KEPT_S - 1)
    assert await watched.look(2.0) == {}
    watched.door.refuses = OSError(13, "Permission denied")
    assert "cannot be recreated" in (await watched.look())[Trouble.FILES_REPLACED]
    watched.door.refuses = None
    assert await watched.look() == {}


async def test_a_head_that_is_behind_is_told_with_its_own_trouble(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watched = Watched(monkeypatch)
    watched.ledger.behind = JournalUnavailable(Trouble.NO_DESCRIPTORS)
    assert "head file" in (await watched.look())[Trouble.NO_DESCRIPTORS]
    watched.ledger.behind = None
    assert await watched.look() == {}


async def test_changing_numbers_do_not_fill_the_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch)
    watched.short = "12 of 100"
    await watched.look()
    watched.short = "13 of 100"
    assert (await watched.look())[Trouble.AGENTS_NOT_PROBED] == "12 of 100"
    assert (await watched.look(RETELL_AFTER_S))[Trouble.AGENTS_NOT_PROBED] == "13 of 100"


def test_a_slow_disk_is_one_whose_commits_are_slow_again_and_again() -> None:
    now_s = 100.0
    slow = [(now_s - 1, 2 * SLOW_COMMIT_S)] * MIN_SLOW
    assert "slow" in slow_disk(slow, now_s)
    assert slow_disk(slow[1:], now_s) == "", "a hiccup"
    assert slow_disk(slow, now_s + SLOW_WINDOW_S) == "", "it is over"
    quick = [(now_s - 1, 0.001)] * 1_000
    assert slow_disk([*slow, *quick], now_s) == "", "of a thousand commits three are slow"


def test_troubles_become_alerts_with_their_advice_and_end_with_them() -> None:
    events = reconcile_troubles(EMPTY_STATE, {Trouble.AGENTS_NOT_PROBED: "12 of 100 agents"})
    state = fold(EMPTY_STATE, [Recorded(Seq(1), 1, Epoch(1), one) for one in events])
    alert = conditions(state, 1)[AlertId("engine-trouble:agents-not-probed")]
    assert "12 of 100 agents" in alert.text
    assert "ulimit -n" in alert.text
    assert reconcile_troubles(state, state.engine.troubles) == []
    (over,) = reconcile_troubles(state, {})
    assert over == EngineTroubled(trouble=Trouble.AGENTS_NOT_PROBED)
    after = fold(state, [Recorded(Seq(2), 2, Epoch(1), over)])
    assert after.engine.troubles == {}
    assert conditions(after, 2) == {}


@pytest.mark.parametrize("health", list(Health))
def test_an_agent_is_not_blamed_for_descriptors_that_the_engine_lacks(health: Health) -> None:
    """However often; one that worked gets no tasks meanwhile."""
    spec = agent("a1")
    state = AgentState(name=AgentName("a1"), health=health)
    failure = ProbeFailure(agent=state.name, observed_at_ms=1, kind=FailureKind.NO_DESCRIPTORS)
    watch = FRESH
    for _ in range(spec.probe.down_after + 2):
        watch, events = judge(watch, state, failure, spec.probe, 1)
        assert watch == FRESH
        works = health in (Health.UP, Health.DEGRADED)
        assert [getattr(e, "health", None) for e in events] == ([Health.SUSPECT] if works else [])


@given(
    limit=st.integers(LEAST, 1_000_000),
    in_use=st.integers(8, 30),
    local=st.booleans(),
)
def test_the_shares_never_add_up_to_more_than_there_is(
    limit: int, in_use: int, local: bool
) -> None:
    shares = budget(limit, in_use, has_local_agents=local)
    assert shares.connections >= 1
    assert shares.clients >= 8
    if limit >= 64:
        assert in_use + shares.clients + shares.connections + 4 * (shares.processes or 0) < limit


def test_a_place_is_kept_for_a_lost_host_for_a_while_and_then_given_to_another() -> None:
    places, now_s = Places(2, limit=64), 0.0
    assert places.take("a", lambda: now_s)
    assert places.take("b", lambda: now_s)
    assert places.take("a", lambda: now_s), "it has one"
    assert not places.take("c", lambda: now_s)
    places.connected("a")
    places.lost("a", lambda: now_s)
    now_s = KEPT_S - 1
    assert not places.take("c", lambda: now_s)
    places.connected("a")
    now_s = 2 * KEPT_S
    assert not places.take("c", lambda: now_s), "it came back"
    places.lost("a", lambda: now_s)
    now_s = 3 * KEPT_S
    assert places.take("c", lambda: now_s)
    assert not places.take("a", lambda: now_s)
    places.leave("b")
    assert places.take("a", lambda: now_s)
    assert "limit 64" in places.words
    assert all(Places().take(n, lambda: 0.0) for n in range(10_000))
