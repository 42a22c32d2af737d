"""Which runs the agents' hosts may forget, and which they have forgotten.

The state says of most when their time has come. Those that it forgets itself before a host was told
to, because the host was away or so much ended meanwhile, are remembered here until it was; an
engine that starts anew knows of these no more.
"""

from collections.abc import Iterator, Mapping

from fleet_tui.core.ids import AgentName, RunId, TaskId
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.tasks.attempts import collectable
from fleet_tui.core.tasks.model import Task

MAX_OWED = 100_000
"""Runs of the fleet that are remembered beyond the state; the oldest are dropped first."""


class Leftovers:
    """What is left of runs on the hosts of one fleet."""

    def __init__(self) -> None:
        self._owed: dict[RunId, AgentName] = {}
        """Forgotten by the state, and not by their hosts; the oldest first."""
        self._gone: set[RunId] = set()
        """Forgotten by their hosts, and not by the state."""

    def follow(self, before: FleetState, after: FleetState) -> None:
        """The state has become another one: take over what it has forgotten."""
        for task in _forgotten(before, after):
            for attempt in task.attempts:
                if attempt.run_id in self._gone:
                    self._gone.discard(attempt.run_id)
                elif not attempt.is_unheard:
                    self._owed[attempt.run_id] = attempt.agent
        for name, agent in before.agents.items():
            canary, now = agent.canary, after.agents.get(name)
            if canary is not None and (now is None or now.canary != canary):
                self._owed[canary.run] = name
        while len(self._owed) > MAX_OWED:
            del self._owed[next(iter(self._owed))]

    def due(self, state: FleetState, agent: AgentName, now_ms: int) -> list[RunId]:
        """Runs that the agent's host may forget now, the oldest first."""
        owed = [run for run, on in self._owed.items() if on == agent]
        ended = collectable(state, agent, now_ms)
        return [*owed, *(run for run in ended if run not in self._gone)]

    def gone(self, run: RunId) -> None:
        """The host holds nothing of the run any more."""
        if self._owed.pop(run, None) is None:
            self._gone.add(run)


def _forgotten(before: FleetState, after: FleetState) -> Iterator[Task]:
    """Tasks that ended and are remembered no more. The oldest of a kind go first, so that nothing
    is looked at behind the first that stayed."""
    for was, now in (
        (before.closed_tasks, after.closed_tasks),
        (before.dead_letters, after.dead_letters),
        (before.unheard_tasks, after.unheard_tasks),
    ):
        yield from _dropped(was, now, after)


def _dropped(
    was: Mapping[TaskId, Task], now: Mapping[TaskId, Task], after: FleetState
) -> Iterator[Task]:
    if was is now:
        return
    for task_id, task in was.items():
        if task_id in now:
            return
        if after.task(task_id) is None:  # and has not moved, such as by a requeue
            yield task
