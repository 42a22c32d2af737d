"""The one shape every kind of agent has for the engine.

Real connections (``openclaw``, ``command``, ``local``) and the simulator's implement
:class:`AgentPort`, the sum of :class:`Probes`, :class:`Runs`, :class:`Cleanup` and :class:`Logs`,
and pass the same contract tests. Methods never raise for what can be expected of a network; a
cancelled method leaves nothing running here, and says nothing about the remote side.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import NamedTuple, Protocol

from fleet_tui.core.agents.vitals import ProbeFailure, VitalsReading
from fleet_tui.core.ids import RunId
from fleet_tui.core.logs import LogGap, LogLine
from fleet_tui.core.reason_words import NotStartedCode
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
"""NotStarted only when the run definitely will never start by this call."""

Outcome = Definite[Finished | Died | Stopped | NotStarted] | Unknown
"""How a run ended, or that nobody can say now."""

Inspection = Definite[Running | Finished | Died | Stopped | NotStarted] | Unknown
"""Where a run stands. NotStarted only when the question itself fenced the run for ever."""


Wanted = Callable[[], bool]
"""Whether a run is to be started still. Asked just before its start leaves."""

CANCELLED_FIRST = NotStarted(reason=NotStartedCode.CANCELLED_FIRST)
"""It was cancelled while the way to its agent was made, so its start never left."""


def always_wanted() -> bool:
    """For whoever has no cancel to wait for."""
    return True


class KeptRuns(NamedTuple):
    """A part of what an agent's host keeps of runs."""

    runs: Sequence[RunId]
    """As their names there say. Any may be of another ledger, or of none."""
    following: int | None = None
    """What to skip to hear the next part; None when this was the last."""


class Probes(Protocol):
    """How an agent is: probes of it, and the end of a connection that it keeps."""

    async def probe(self) -> VitalsReading | ProbeFailure:
        """One cheap question; answers within the agent's probe timeout."""
        ...

    async def lost(self) -> ProbeFailure:
        """Wait until a connection that the agent keeps open is lost: as good as a failed probe, and
        sooner. For ever where none is kept; a connection that was closed here is not lost."""
        ...


class Runs(Protocol):
    """The runs of an agent: begun, followed, found again, stopped, kept from starting."""

    async def start(self, order: RunOrder, wanted: Wanted = always_wanted) -> StartAnswer:
        """Ask the agent to run this attempt. Called at most once per run id, ever.

        Making a connection may take long; a run that is not ``wanted`` any more by then is not
        asked for.
        """
        ...

    async def follow(self, order: RunOrder) -> Inspection:
        """Wait until the run ends, after ``start`` or ``inspect`` said it runs.

        Returns Running when its program is suspended, or goes on again, and that was not said yet;
        Unknown when the connection is lost while waiting; the engine then inspects.
        """
        ...

    async def inspect(self, order: RunOrder) -> Inspection:
        """Find out where a run stands without ever starting one; fences what never started."""
        ...

    async def cancel(self, order: RunOrder) -> Inspection:
        """Ask the run to stop and say where it stands afterwards."""
        ...

    async def fence(self, order: RunOrder) -> Inspection:
        """Make sure a run that was reassigned can never (re)start here."""
        ...


class Cleanup(Protocol):
    """What the host of an agent keeps of runs, and may forget."""

    async def collect(self, runs: Sequence[RunId]) -> Sequence[str]:
        """Let the agent's host forget runs whose end has long been in the ledger.

        Returns those it keeps nothing of any more, in a minute or so; the others may be asked
        again.
        """
        ...

    async def kept(self, skip: int) -> KeptRuns | None:
        """What the agent's host keeps of runs that ``collect`` would let it forget, but for the
        first ``skip``; None where it did not say. It changes meanwhile, so some may be told twice
        or not at all.
        """
        ...


class Logs(Protocol):
    """What an agent writes."""

    def tail(self) -> AsyncIterator[LogLine | LogGap]:
        """The agent's own log lines from now on, for ever; survives reconnects.

        Runs until its consumer closes it. Lines are framed, cut and redacted; never dropped
        without a LogGap.
        """
        ...


class AgentPort(Probes, Runs, Cleanup, Logs, Protocol):
    """One agent as the engine sees it, whole. Whoever needs a part of it asks for that part."""

    async def close(self) -> None:
        """Let go of what this agent alone holds (not of its host's shared connection)."""
        ...
