"""The settings of an agent at each level: its own, its pool's, the file's defaults."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from fleet_tui.config.models import (
    AgentEntry,
    AgentSettings,
    Defaults,
    PoolEntry,
    PricesEntry,
    ProbeEntry,
)
from fleet_tui.core.fleet import Prices, ProbeSpec

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Levels:
    """One agent's settings from the nearest level to the furthest."""

    agent: AgentEntry
    pool: PoolEntry
    defaults: Defaults

    def first(self, pick: Callable[[AgentSettings], _T | None]) -> _T | None:
        """The nearest value that was given."""
        for level in (self.agent, self.pool, self.defaults):
            value = pick(level)
            if value is not None:
                return value
        return None

    def merged(self, pick: Callable[[AgentSettings], dict[str, str] | None]) -> dict[str, str]:
        """A map with the nearer levels' keys over the further ones'."""
        whole: dict[str, str] = {}
        for level in (self.defaults, self.pool, self.agent):
            whole |= pick(level) or {}
        return whole


def prices(levels: Levels) -> Prices:
    """The agent's prices."""

    def said(pick: Callable[[PricesEntry], int | None]) -> int:
        return levels.first(lambda level: pick(level.prices) if level.prices else None) or 0

    return Prices(
        per_hour_microusd=said(lambda entry: entry.per_hour),
        input_microusd_per_mtok=said(lambda entry: entry.input_per_mtok),
        output_microusd_per_mtok=said(lambda entry: entry.output_per_mtok),
    )


def probe(levels: Levels) -> ProbeSpec:
    """How it is probed."""

    usual = ProbeSpec()

    def said(pick: Callable[[ProbeEntry], int | None], otherwise: int) -> int:
        found = levels.first(lambda level: pick(level.probe) if level.probe else None)
        return otherwise if found is None else found

    return ProbeSpec(
        every_ms=said(lambda entry: entry.every, usual.every_ms),
        timeout_ms=said(lambda entry: entry.timeout, usual.timeout_ms),
        down_after=said(lambda entry: entry.down_after, usual.down_after),
        up_after=said(lambda entry: entry.up_after, usual.up_after),
    )
