"""Who may do a task, and whose turn it is."""

from fleet_tui.core.fleet import AgentSpec, FleetSpec, OpenClawAgent, Strategy
from fleet_tui.core.tasks.events import TaskPlaced
from fleet_tui.core.tasks.model import TaskSpec
from fleet_tui.sim.virtual.books import TAKES_WORK, Book, Work


def boundary(fleet: FleetSpec, agent: AgentSpec, task: TaskSpec) -> str:
    """Why the task may never run on the agent; empty if it may."""
    if agent.clients and task.client not in agent.clients:
        return "reserved for another client"
    reserved = fleet.isolated.union(*(a.clients for a in fleet.agents.values()))
    if task.client in reserved and task.client not in agent.clients:
        return "its client is isolated elsewhere"
    if task.regions and agent.region not in task.regions:
        return "in another region"
    for rule in fleet.residency:
        if rule.client == task.client and agent.region not in rule.regions:
            return "outside its client's regions"
    if not task.needs <= agent.capabilities:
        return "lacks a capability"
    if (task.pool or agent.pool) != agent.pool or (task.agent or agent.name) != agent.name:
        return "another pool or agent was asked for"
    return ""


def wrong_turn(book: Book, event: TaskPlaced) -> str:
    """Whose turn it was instead, in a pool whose agents take turns; empty where it was right. Not
    asked about a task that was tried on one of them before: it goes elsewhere first."""
    fleet, work = book.fleet, book.works[event.task]
    chosen = fleet.agents[event.agent]
    pool = fleet.pools[chosen.pool]
    if pool.strategy is not Strategy.ROUND_ROBIN or book.agents[event.agent].trial_ms is not None:
        return ""
    names = [spec.name for spec in fleet.agents.values() if spec.pool == pool.name]
    free = [name for name in names if _is_free(book, work, fleet.agents[name])]
    if any(one.agent in free for one in work.tries):
        return ""
    last = book.turns.get(pool.name)
    after = names.index(last) if last in names else -1
    due = min(free, key=lambda name: (names.index(name) - after - 1) % len(names), default=None)
    return "" if due in (None, event.agent) else f"it was the turn of {due} after {last}"


def _is_free(book: Book, work: Work, spec: AgentSpec) -> bool:
    agent = book.agents[spec.name]
    if agent.health not in TAKES_WORK or agent.cordoned or agent.trial_ms is not None:
        return False
    if boundary(book.fleet, spec, work.spec):
        return False
    goes_on = work.may_go_on and isinstance(spec.kind, OpenClawAgent)
    return not goes_on and book.busy(spec.name) < spec.slots
