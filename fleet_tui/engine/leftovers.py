"""Which runs the agents' hosts may delete, and which they have deleted.

The state determines this for most runs. Runs that the state forgets before their host was told,
because the host was away or too many ended meanwhile, are remembered here until then. A new engine
does not know these, so each host is asked, soon after the start and then rarely, which runs it
holds. The ledger shows which of them are over; a run that it does not know belongs to another
ledger and stays.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from fleet_tui.core.agents.canary import agent_of_canary
from fleet_tui.core.ids import AgentName, RunId, TaskId, split_run_id
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.tasks.attempts import collectable, is_left_over
from fleet_tui.core.tasks.model import Task
from fleet_tui.journal.ledger.reader import JournalReader

MAX_OWED = 100_000
"""Runs that are remembered in addition to the state; the oldest are dropped first."""

SLICE_TASKS = 10
"""Tasks that are read from the ledger at a time."""
SHARE = 0.2
"""The share of time spent on it."""

PastTasks = Callable[[Sequence[TaskId]], Awaitable[Mapping[TaskId, Task]]]
"""Tasks of any age, from the ledger. Unknown ones are left out."""


class Leftovers:
    """The leftovers of runs on the hosts of one fleet."""

    def __init__(self, past_tasks: PastTasks) -> None:
        self._past_tasks = past_tasks
        self._owed: dict[RunId, AgentName] = {}
        """Forgotten by the state, but still on their hosts; the oldest first."""
        self._gone: set[RunId] = set()
        """Deleted on their hosts, but still in the state."""
        self._gone_canaries: dict[AgentName, set[RunId]] = {}
        """The same for canary runs."""

    def follow(self, before: FleetState, after: FleetState) -> None:
        """The state has changed: take over the runs that it has forgotten."""
        for task in _forgotten(before, after):
            for attempt in task.attempts:
                if attempt.run_id in self._gone:
                    self._gone.discard(attempt.run_id)
                elif not attempt.is_unheard:
                    self._owe(attempt.run_id, attempt.agent)
        if before.fleet is not after.fleet:
            for name, agent in before.agents.items():
                if name not in after.agents:
                    for canary in agent.canaries:
                        self._owe(canary.run, name)

    async def hear(self, state: FleetState, agent: AgentName, kept: Sequence[RunId]) -> None:
        """An agent's host still holds these runs: take over those that the state has forgotten,
        whatever the agent's name was then. Raises FleetError where the ledger cannot be read."""
        named = {run: task for run in kept if (task := _task_of(run)) is not None}
        asked = {task for task in named.values() if state.task(task) is None}
        past = await self._past_tasks(sorted(asked)) if asked else {}
        for run, task_id in named.items():
            if (found := past.get(task_id)) is not None and is_left_over(found, run):
                self._owe(run, agent)

    def due(self, state: FleetState, agent: AgentName, now_ms: int) -> list[RunId]:
        """Runs that the agent's host may delete now, the oldest first."""
        owed = [run for run, on in self._owed.items() if on == agent]
        ended = collectable(state, agent, now_ms)
        return [
            *owed,
            *(run for run in ended if run not in self._gone),
            *self._canaries(state, agent),
        ]

    def _canaries(self, state: FleetState, agent: AgentName) -> list[RunId]:
        """The agent's canary runs that are over. A new engine sends the newest to its host
        again."""
        known = state.agents.get(agent)
        if known is None or not known.canaries:
            return []
        gone = self._gone_canaries.setdefault(agent, set())
        gone.intersection_update(c.run for c in known.canaries)
        over = (c.run for c in known.canaries if c.ended_at_ms is not None)
        return [run for run in over if run not in gone]

    def gone(self, run: RunId) -> None:
        """The host no longer holds anything of the run."""
        tried = agent_of_canary(run)
        if self._owed.pop(run, None) is not None:
            return
        if tried is not None:
            self._gone_canaries.setdefault(tried, set()).add(run)
        else:
            self._gone.add(run)

    def _owe(self, run: RunId, agent: AgentName) -> None:
        self._owed[run] = agent
        if len(self._owed) > MAX_OWED:
            del self._owed[next(iter(self._owed))]


def past_tasks_in(directory: Path) -> PastTasks:
    """Tasks from the ledger in a directory: by an index, in a thread, and in slices with pauses, so
    that the thread does not block the engine's loop by holding the interpreter."""

    def read(tasks: Sequence[TaskId]) -> dict[TaskId, Task]:
        with closing(JournalReader(directory)) as reader:
            return reader.find_tasks(tasks)

    async def past_tasks(tasks: Sequence[TaskId]) -> dict[TaskId, Task]:
        now_s = asyncio.get_running_loop().time
        found: dict[TaskId, Task] = {}
        for at in range(0, len(tasks), SLICE_TASKS):
            began_s = now_s()
            found |= await asyncio.to_thread(read, tasks[at : at + SLICE_TASKS])
            await asyncio.sleep((now_s() - began_s) / SHARE)
        return found

    return past_tasks


def _task_of(run: RunId) -> TaskId | None:
    """The task that a run id belongs to; None for other names."""
    try:
        return split_run_id(run)[0]
    except ValueError:
        return None


def _forgotten(before: FleetState, after: FleetState) -> Iterator[Task]:
    """Tasks that ended and are no longer remembered. The oldest of a kind go first, so the scan
    stops at the first that stayed."""
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
        if after.task(task_id) is None:  # and has not moved to another map, such as by a requeue
            yield task
