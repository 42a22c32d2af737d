"""The events of the engine, and of the fleet file that it follows."""

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
    """The engine released the ledger cleanly."""

    reason: str


class EngineModeChanged(AboutEngine, frozen=True, kw_only=True, tag="engine.mode"):
    """The engine can do less than before, or everything again."""

    mode: EngineMode
    was: EngineMode
    reason: str
    by: str = ""
    """Who decided; empty when the engine did."""


class EngineUnitFailed(AboutEngine, frozen=True, kw_only=True, tag="engine.unit-failed"):
    """A unit of the engine failed with a bug and was restarted; its last work may be missing."""

    unit: str
    error: str
    """The kind of error; its traceback is in the engine's own log."""


class EngineTroubled(AboutEngine, frozen=True, kw_only=True, tag="engine.troubled"):
    """The engine lacks a resource and keeps working, or has it again."""

    trouble: Trouble
    text: str = ""
    """What is wrong, with the advice; empty when it is over."""


class FleetFileJudged(AboutEngine, frozen=True, kw_only=True, tag="fleet.file-judged"):
    """A newer fleet file cannot be loaded, and the last good one stays in force; or it can be
    loaded again."""

    problem: str = ""
    """The first problem; empty when there is none."""


class FleetLoaded(AboutEngine, frozen=True, kw_only=True, tag="fleet.loaded"):
    """The fleet file in force from now on. Agents that it no longer names are retired."""

    spec: FleetSpec
    by: str = ""


class MachinesFound(AboutEngine, frozen=True, kw_only=True, tag="fleet.machines-found"):
    """ssh_config resolves hosts of the fleet to one machine, or no longer does."""

    same: dict[HostName, HostName]
    """All such hosts, each with the first of its machine: :attr:`FleetSpec.same` from now on."""


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
