"""Which runs the agents' hosts may forget, and which they have forgotten.

The state says of most when their time has come. Those that it forgets itself before a host was told
to, because the host was away or so much ended meanwhile, are remembered here until it was. An
engine that starts anew knows of these no more, so each host is asked, soon and then seldom, what it
holds. Of that the ledger tells what is over; a run that it does not know is somebody else's and
stays.
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
"""Runs of the fleet that are remembered beyond the state; the oldest are dropped first."""

SLICE_TASKS = 10
"""Tasks that are read of the ledger at a time."""
SHARE = 0.2
"""Of the time goes into it."""

PastTasks = Callable[[Sequence[TaskId]], Awaitable[Mapping[TaskId, Task]]]
"""Tasks of any age, as the ledger tells them. Those that it does not know are left out."""


class Leftovers:
    """What is left of runs on the hosts of one fleet."""

    def __init__(self, past_tasks: PastTasks) -> None:
        self._past_tasks = past_tasks
        self._owed: dict[RunId, AgentName] = {}
        """Forgotten by the state, and not by their hosts; the oldest first."""
        self._gone: set[RunId] = set()
        """Forgotten by their hosts, and not by the state."""
        self._gone_canaries: dict[AgentName, set[RunId]] = {}
        """The same, of canary runs."""

    def follow(self, before: FleetState, after: FleetState) -> None:
        """The state has become another one: take over what it has forgotten."""
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
        """An agent's host holds something of these runs: take over what the state has forgotten,
        whatever the agent was called then. Raises FleetError where the ledger cannot be read."""
        named = {run: task for run in kept if (task := _task_of(run)) is not None}
        asked = {task for task in named.values() if state.task(task) is None}
        past = await self._past_tasks(sorted(asked)) if asked else {}
        for run, task_id in named.items():
            if (found := past.get(task_id)) is not None and is_left_over(found, run):
                self._owe(run, agent)

    def due(self, state: FleetState, agent: AgentName, now_ms: int) -> list[RunId]:
        """Runs that the agent's host may forget now, the oldest first."""
        owed = [run for run, on in self._owed.items() if on == agent]
        ended = collectable(state, agent, now_ms)
        return [
            *owed,
            *(run for run in ended if run not in self._gone),
            *self._canaries(state, agent),
        ]

    def _canaries(self, state: FleetState, agent: AgentName) -> list[RunId]:
        """The agent's canary runs that are over. A new engine tells its host of the newest anew."""
        known = state.agents.get(agent)
        if known is None or not known.canaries:
            return []
        gone = self._gone_canaries.setdefault(agent, set())
        gone.intersection_update(c.run for c in known.canaries)
        over = (c.run for c in known.canaries if c.ended_at_ms is not None)
        return [run for run in over if run not in gone]

    def gone(self, run: RunId) -> None:
        """The host holds nothing of the run any more."""
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
    """Tasks as the ledger in a directory tells them: by an index, beside the engine's loop, and in
    slices with pauses, so that it is not held up by a thread that has the interpreter."""

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
    """The task that a run would be of; None for what is named otherwise."""
    try:
        return split_run_id(run)[0]
    except ValueError:
        return None


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
