"""Probes of agents and samples of the fleet, for charts and for reviewing the past."""

from collections.abc import Iterable, Iterator
from contextlib import suppress

import msgspec

from fleet_tui.core.agents.vitals import FleetSample, ProbeResult
from fleet_tui.core.ids import AgentName
from fleet_tui.journal.ledger.statements import query
from fleet_tui.journal.telemetry.rolling import (
    Bounds,
    RollingReader,
    RollingRow,
    RollingWriter,
)

SAMPLE_BOUNDS = Bounds(file_bytes=64 * 1024 * 1024, files=16, keep_ms=14 * 86_400_000)
MAX_SERIES = 20_000
END_OF_TIME_MS = 2**62
BEGINNING_MS = -END_OF_TIME_MS

_THE_FLEET = ""
_encoder = msgspec.json.Encoder()
_probe_decoder: msgspec.json.Decoder[ProbeResult] = msgspec.json.Decoder(ProbeResult)
_UNREADABLE = (ValueError, RecursionError)
"""For rows of a newer version, damaged or forged ones."""
_pulse_decoder = msgspec.json.Decoder(FleetSample)


def sample_row(sample: ProbeResult | FleetSample) -> RollingRow:
    """The result of a probe or a sample as a row: instant, agent, body."""
    if isinstance(sample, FleetSample):
        return (sample.at_ms, _THE_FLEET, _encoder.encode(sample))
    return (sample.observed_at_ms, sample.agent, _encoder.encode(sample))


class SampleWriter(RollingWriter):
    """Stores probe results and samples."""

    family = "samples"
    insert = "sample_insert"
    usual = SAMPLE_BOUNDS

    def add(self, samples: Iterable[ProbeResult | FleetSample]) -> None:
        """Pass on samples; returns at once."""
        self.offer(sample_row(sample) for sample in samples)


class SampleReader(RollingReader):
    """Reads probe results and samples."""

    family = "samples"

    def latest_probes(self, until_ms: int | None = None) -> dict[AgentName, ProbeResult]:
        """The newest probe of each agent, or the newest one up to an instant."""
        probes: dict[AgentName, ProbeResult] = {}
        until = END_OF_TIME_MS if until_ms is None else until_ms
        for _, rows in self.each_newest_first(query("samples_latest"), (until,)):
            for agent, body in rows:
                if isinstance(agent, str) and isinstance(body, bytes) and agent not in probes:
                    with suppress(*_UNREADABLE):
                        probes[AgentName(agent)] = _probe_decoder.decode(body)
        return probes

    def fleet_samples(self, since_ms: int, until_ms: int, limit: int) -> list[FleetSample]:
        """Samples of the fleet, both instants included, oldest first; the newest win at the
        limit."""
        found = []
        for body in self._series(_THE_FLEET, since_ms, until_ms, limit):
            with suppress(*_UNREADABLE):
                found.append(_pulse_decoder.decode(body))
        return found

    def fleet_samples_every(self, first_ms: int, last_ms: int, step_ms: int) -> list[FleetSample]:
        """The newest sample of each interval of that many milliseconds, of which the first ends at
        ``first_ms`` and the last at ``last_ms``, oldest first; empty intervals are left out."""
        found: dict[int, FleetSample] = {}
        parameters = (first_ms, step_ms, last_ms)
        for _, rows in self.each_newest_first(query("samples_every"), parameters):
            for place, (body,) in enumerate(rows):
                if isinstance(body, bytes) and place not in found:
                    with suppress(*_UNREADABLE):
                        found[place] = _pulse_decoder.decode(body)
        return [found[place] for place in sorted(found)]

    def agent_series(
        self, agent: AgentName, until_ms: int | None = None, limit: int = MAX_SERIES
    ) -> list[ProbeResult]:
        """Probes of one agent, of all or up to an instant, oldest first; the newest win."""
        found = []
        until = END_OF_TIME_MS if until_ms is None else until_ms
        for body in self._series(agent, BEGINNING_MS, until, limit):
            with suppress(*_UNREADABLE):
                found.append(_probe_decoder.decode(body))
        return found

    def rows(self, since_ms: int, until_ms: int, page: int) -> Iterator[tuple[int, str, bytes]]:
        """(instant, agent, body) of every sample, as stored; the fleet's agent is empty."""
        after = 0
        while True:
            last = after
            parameters = (after, since_ms, until_ms, page)
            for _, rows in self.each_oldest_first(query("samples_all"), parameters, after=after):
                for row_id, at_ms, agent, body in rows:
                    assert isinstance(row_id, int)
                    assert isinstance(at_ms, int)
                    assert isinstance(agent, str)
                    assert isinstance(body, bytes)
                    last = row_id
                    yield at_ms, agent, body
                if rows:
                    break
            if last == after:
                return
            after = last

    def _series(self, agent: str, since_ms: int, until_ms: int, limit: int) -> list[bytes]:
        bodies: list[bytes] = []
        parameters = (agent, since_ms, until_ms, limit)
        for _, rows in self.each_newest_first(query("samples_series"), parameters):
            bodies.extend(row[0] for row in rows if isinstance(row[0], bytes))
            if len(bodies) >= limit:
                break
        return bodies[:limit][::-1]
