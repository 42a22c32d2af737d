"""What the ledger says about the engine, and about the fleet file that it follows."""

from fleet_tui.core.fleet import FleetSpec
from fleet_tui.core.ids import Epoch, HostName
from fleet_tui.core.ledger.base import EventBase
from fleet_tui.core.modes import EngineMode, Trouble


class AboutEngine(EventBase, frozen=True, kw_only=True):
    """What becomes of the engine or of its fleet file."""


class EngineStarted(AboutEngine, frozen=True, kw_only=True, tag="engine.started"):
    """A new engine owns the ledger."""

    epoch: Epoch
    version: str
    pid: int


class EngineStopped(AboutEngine, frozen=True, kw_only=True, tag="engine.stopped"):
    """The engine let go of the ledger in good order."""

    reason: str


class EngineModeChanged(AboutEngine, frozen=True, kw_only=True, tag="engine.mode"):
    """The engine can do less than before, or everything again."""

    mode: EngineMode
    was: EngineMode
    reason: str
    by: str = ""
    """Who decided; empty when the engine did."""


class EngineUnitFailed(AboutEngine, frozen=True, kw_only=True, tag="engine.unit-failed"):
    """A part of the engine met a bug and was started again; what it did last may be missing."""

    unit: str
    error: str
    """The kind of error; its traceback is in the engine's own log."""


class EngineTroubled(AboutEngine, frozen=True, kw_only=True, tag="engine.troubled"):
    """The engine is short of something and works on, or is not any more."""

    trouble: Trouble
    text: str = ""
    """What is wrong, with the advice; empty when it is over."""


class FleetFileJudged(AboutEngine, frozen=True, kw_only=True, tag="fleet.file-judged"):
    """A newer fleet file cannot be taken, and the last good one stays in force; or it can again."""

    problem: str = ""
    """The first problem; empty when there is none any more."""


class FleetLoaded(AboutEngine, frozen=True, kw_only=True, tag="fleet.loaded"):
    """The fleet file in force from now on. Agents that it no longer names are retired."""

    spec: FleetSpec
    by: str = ""


class MachinesFound(AboutEngine, frozen=True, kw_only=True, tag="fleet.machines-found"):
    """ssh_config leads hosts of the fleet to one machine, or to one no more."""

    same: dict[HostName, HostName]
    """All of them, and each one's first: :attr:`FleetSpec.same` from now on."""


EngineEvent = (
    EngineStarted
    | EngineStopped
    | EngineModeChanged
    | EngineUnitFailed
    | EngineTroubled
    | FleetFileJudged
    | FleetLoaded
    | MachinesFound
)
"""What becomes of the engine or of its fleet file."""
