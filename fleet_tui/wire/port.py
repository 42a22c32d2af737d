"""The one interface of every kind of agent for the engine.

Real connections (``openclaw``, ``command``, ``local``) and the simulator's implement
:class:`AgentPort`, the sum of :class:`Probes`, :class:`Runs`, :class:`Cleanup` and :class:`Logs`,
and pass the same contract tests. Methods never raise for expected network failures; a cancelled
method leaves nothing running here, and implies nothing about the remote side.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import NamedTuple, Protocol

from fleet_tui.core.agents.vitals import ProbeFailure, VitalsReading
from fleet_tui.core.ids import RunId
from fleet_tui.core.logs import LogGap, LogLine
from fleet_tui.core.tasks.codes import NotStartedCode
from fleet_tui.core.tasks.evidence import (
    Definite,
    Died,
    Finished,
    NotStarted,
    Running,
    RunOrder,
    Started,
    Stopped,
    Unknown,
)

StartAnswer = Definite[Started | NotStarted] | Unknown
"""NotStarted only when this call will definitely never start the run."""

Outcome = Definite[Finished | Died | Stopped | NotStarted] | Unknown
"""How a run ended, or that this is unknown now."""

Inspection = Definite[Running | Finished | Died | Stopped | NotStarted] | Unknown
"""The state of a run. NotStarted only when the inspection itself fenced the run permanently."""


Wanted = Callable[[], bool]
"""Whether a run is still to be started. Called just before its start is sent."""

CANCELLED_FIRST = NotStarted(reason=NotStartedCode.CANCELLED_FIRST)
"""It was cancelled while the connection to its agent was made, so its start was never sent."""


def always_wanted() -> bool:
    """For callers without a cancel to wait for."""
    return True


class KeptRuns(NamedTuple):
    """A part of the runs that an agent's host keeps."""

    runs: Sequence[RunId]
    """From their names there. Any may belong to another ledger, or to none."""
    following: int | None = None
    """The ``skip`` for the next part; None when this was the last."""


class Probes(Protocol):
    """The state of an agent: its probes, and the loss of a connection that it keeps open."""

    async def probe(self) -> VitalsReading | ProbeFailure:
        """One cheap probe; answers within the agent's probe timeout."""
        ...

    async def lost(self) -> ProbeFailure:
        """Wait until a connection that the agent keeps open is lost: equivalent to a failed probe,
        and sooner. For ever where none is kept; a connection that was closed here is not lost."""
        ...


class Runs(Protocol):
    """The runs of an agent: started, followed, inspected, stopped, fenced."""

    async def start(self, order: RunOrder, wanted: Wanted = always_wanted) -> StartAnswer:
        """Ask the agent to run this attempt. Called at most once per run id, ever.

        Making a connection may take long; a run that is no longer ``wanted`` by then is not
        requested.
        """
        ...

    async def follow(self, order: RunOrder) -> Inspection:
        """Wait until the run ends, after ``start`` or ``inspect`` reported that it runs.

        Returns Running when its program is suspended or continued, and that was not reported yet;
        Unknown when the connection is lost while waiting; the engine then inspects.
        """
        ...

    async def inspect(self, order: RunOrder) -> Inspection:
        """Determine the state of a run without ever starting one; fences a run that never
        started."""
        ...

    async def cancel(self, order: RunOrder) -> Inspection:
        """Request that the run stops; returns its state afterwards."""
        ...

    async def fence(self, order: RunOrder) -> Inspection:
        """Make sure a run that was reassigned can never (re)start here."""
        ...


class Cleanup(Protocol):
    """The leftovers of runs on an agent's host."""

    async def collect(self, runs: Sequence[RunId]) -> Sequence[str]:
        """Have the agent's host delete runs whose end has long been in the ledger.

        Returns those that are gone, within a minute or so; the others may be requested again.
        """
        ...

    async def kept(self, skip: int) -> KeptRuns | None:
        """The runs on the agent's host that ``collect`` could delete, without the first ``skip``;
        None where the answer is unusable. The list changes meanwhile, so some may be listed twice
        or not at all.
        """
        ...


class Logs(Protocol):
    """The log of an agent."""

    def tail(self) -> AsyncIterator[LogLine | LogGap]:
        """The agent's own log lines from now on, for ever; survives reconnects.

        Runs until its consumer closes it. Lines are framed, cut and redacted; never dropped
        without a LogGap.
        """
        ...


class AgentPort(Probes, Runs, Cleanup, Logs, Protocol):
    """The complete interface of one agent. Callers that need only a part depend on that part."""

    async def close(self) -> None:
        """Release what this agent alone holds (not its host's shared connection)."""
        ...
