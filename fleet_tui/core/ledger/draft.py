"""A state while events are folded into it: what each aggregate's fold writes to.

Maps are copied when they are first written, so a batch copies each map it touches once, and the
state it began with is never touched.
"""

from fleet_tui.core.agents.model import AgentState
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.routing.record import MAX_DECISIONS, DecisionRecord
from fleet_tui.core.tasks.store import TaskStore


class Draft:
    """Not for sharing: it lives as long as its batch.

    A state that it returned is valid until the next event is applied; the last one stays valid.
    """

    def __init__(self, base: FleetState) -> None:
        self.reopen(base)

    def reopen(self, base: FleetState) -> None:
        """Begin again, from this state."""
        self._base_agents = base.agents
        self.seq = base.seq
        self.at_ms = base.at_ms
        self.engine = base.engine
        self.fleet = base.fleet
        self.totals = base.totals
        self.unknown_events = base.unknown_events
        self.agents = base.agents
        self.tasks = TaskStore(base)
        self.recent_starts = base.recent_starts
        self.turns = base.turns
        self.alerts = base.alerts
        self.braked_pools = base.braked_pools
        self.closed_alerts = base.closed_alerts
        self.notes = base.notes
        self.decisions = base.decisions
        self.new_decisions: list[DecisionRecord] = []

    def put_agent(self, agent: AgentState) -> None:
        """Replace an agent."""
        if self.agents is self._base_agents:
            self.agents = dict(self.agents)
        self.agents[agent.name] = agent

    def state(self) -> FleetState:
        """The state after the events so far."""
        if self.new_decisions:
            self.decisions = (*self.decisions, *self.new_decisions)[-MAX_DECISIONS:]
            self.new_decisions.clear()
        return FleetState(
            seq=self.seq,
            at_ms=self.at_ms,
            engine=self.engine,
            fleet=self.fleet,
            agents=self.agents,
            open_tasks=self.tasks.open,
            closed_tasks=self.tasks.closed,
            dead_letters=self.tasks.dead,
            unheard_tasks=self.tasks.unheard,
            keys=self.tasks.keys,
            open_by_priority=self.tasks.by_priority,
            open_by_client=self.tasks.by_client,
            recent_starts=self.recent_starts,
            turns=self.turns,
            decisions=self.decisions,
            alerts=self.alerts,
            closed_alerts=self.closed_alerts,
            braked_pools=self.braked_pools,
            notes=self.notes,
            totals=self.totals,
            unknown_events=self.unknown_events,
        )
