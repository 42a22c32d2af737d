"""The slower half of a gateway's vitals: its lanes and its machine, from two RPCs.

``diagnostics.lanes`` costs 1.4 ms and ``system.info`` 32 ms there; ``status`` would add 5 ms of CPU
and up to 20 KB without any further data. ``/readyz`` ignores a full disk, so the free space comes
from here.
"""

import msgspec

from fleet_tui.wire.numbers import count, finite, percent_used
from fleet_tui.wire.openclaw.frames import Malformed, decode

LANES = "diagnostics.lanes"
SYSTEM = "system.info"
MAIN_LANE = "main"


class _Lane(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    lane: str = ""
    queued_count: float | None = None
    active_count: float | None = None
    max_concurrent: float | None = None


class _Lanes(msgspec.Struct, frozen=True, kw_only=True):
    ts: float | None = None
    lanes: list[_Lane] = []


class _Memory(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    rss_bytes: float | None = None


class _Disk(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    available_bytes: float | None = None


class _System(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    load_average: list[float] = []
    memory_total_bytes: float | None = None
    memory_free_bytes: float | None = None
    process_memory: _Memory = _Memory()
    disks: list[_Disk] = []
    disk_available_bytes: float | None = None


class Lanes(msgspec.Struct, frozen=True, kw_only=True):
    """Work inside the gateway; ``clock_ms`` is its clock at the answer."""

    active: int | None = None
    queued: int | None = None
    capacity: int | None = None
    clock_ms: float | None = None


class HostVitals(msgspec.Struct, frozen=True, kw_only=True):
    """The gateway's machine and process."""

    memory_percent: float | None = None
    rss_bytes: int | None = None
    disk_free_bytes: int | None = None
    load_average: float | None = None


def parse_lanes(payload: bytes | msgspec.Raw) -> Lanes | Malformed:
    """Answer of ``diagnostics.lanes``: the lane that runs agents, not the inner ones."""
    said = decode(payload, _Lanes)
    if isinstance(said, Malformed):
        return said
    main = next((lane for lane in said.lanes if lane.lane == MAIN_LANE), _Lane())
    return Lanes(
        active=count(main.active_count),
        queued=count(main.queued_count),
        capacity=count(main.max_concurrent),
        clock_ms=finite(said.ts),
    )


def parse_system(payload: bytes | msgspec.Raw) -> HostVitals | Malformed:
    """Answer of ``system.info``."""
    said = decode(payload, _System)
    if isinstance(said, Malformed):
        return said
    disks = [n for disk in said.disks if (n := count(disk.available_bytes)) is not None]
    own_disk = count(said.disk_available_bytes)
    return HostVitals(
        memory_percent=percent_used(said.memory_total_bytes, said.memory_free_bytes),
        rss_bytes=count(said.process_memory.rss_bytes),
        disk_free_bytes=own_disk if own_disk is not None else min(disks, default=None),
        load_average=finite(said.load_average[0]) if said.load_average else None,
    )
