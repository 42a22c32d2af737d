"""Small fleets for tests, made in code."""

from collections.abc import Iterable

from fleet_tui.core.fleet import (
    AgentSpec,
    CommandAgent,
    Deadlines,
    FleetSpec,
    HostSpec,
    PoolSpec,
    Priority,
    ProbeSpec,
    QueueLimits,
    ResidencyRule,
    RetryBudget,
    RetryPolicy,
    Strategy,
    TaskClass,
)
from fleet_tui.core.ids import AgentName, Capability, ClientName, HostName, PoolName, Region
from fleet_tui.core.tasks.model import TaskSpec
from fleet_tui.core.text.untrusted import Untrusted

HOST = HostName("h1")
FAST_PROBE = ProbeSpec(every_ms=200, timeout_ms=500, down_after=2, up_after=1)


def agent(
    name: str,
    *,
    pool: str = "general",
    slots: int = 2,
    capabilities: Iterable[str] = (),
    region: str | None = None,
    clients: Iterable[str] = (),
    probe: ProbeSpec = FAST_PROBE,
) -> AgentSpec:
    """A command agent on the one host."""
    return AgentSpec(
        name=AgentName(name),
        pool=PoolName(pool),
        kind=CommandAgent(command=("cat",)),
        host=HOST,
        region=Region(region) if region else None,
        capabilities=frozenset(Capability(c) for c in capabilities),
        clients=tuple(ClientName(c) for c in clients),
        slots=slots,
        probe=probe,
    )


def fleet(
    *agents: AgentSpec,
    strategy: Strategy = Strategy.LOAD_AWARE,
    residency: Iterable[ResidencyRule] = (),
    overflow: Iterable[str] = (),
    limits: QueueLimits | None = None,
    retry_budget: RetryBudget | None = None,
    retry: RetryPolicy | None = None,
    isolated: Iterable[str] = (),
) -> FleetSpec:
    """A fleet of these agents; every pool they name uses the strategy."""
    allowed = set(overflow)
    return FleetSpec(
        name="test",
        hosts={HOST: HostSpec(name=HOST, address="127.0.0.1")},
        pools={
            a.pool: PoolSpec(name=a.pool, strategy=strategy, overflow=a.pool in allowed)
            for a in agents
        },
        agents={a.name: a for a in agents},
        residency=tuple(residency),
        isolated=frozenset(ClientName(client) for client in isolated),
        limits=limits or QueueLimits(),
        retry_budget=retry_budget or RetryBudget(),
        retry=dict.fromkeys(TaskClass, retry) if retry is not None else {},
        digest="0" * 64,
    )


def work(
    text: str = "do it",
    *,
    needs: Iterable[str] = (),
    pool: str | None = None,
    client: str | None = None,
    regions: Iterable[str] = (),
    priority: Priority = Priority.P2,
    task_class: TaskClass = TaskClass.ONCE,
    deadlines: Deadlines | None = None,
) -> TaskSpec:
    """What an operator might ask for."""
    return TaskSpec(
        payload=Untrusted(text),
        needs=frozenset(Capability(n) for n in needs),
        pool=PoolName(pool) if pool else None,
        client=ClientName(client) if client else None,
        regions=tuple(Region(r) for r in regions),
        priority=priority,
        task_class=task_class,
        deadlines=deadlines,
    )
