"""Simulated gateways of older releases are found out as real ones are."""

import pytest

from fleet_tui.core.agents.vitals import Limit, ProbeFailure
from fleet_tui.core.ids import AgentName
from fleet_tui.sim.gateway.releases import AUGUST, JULY, JUNE, NEWEST, RELEASES, Release
from fleet_tui.sim.virtual.gateways import dialect_of
from fleet_tui.wire.openclaw.connection import Connection
from fleet_tui.wire.openclaw.connector import Connector
from tests.simulation.gateway_client import TOKEN, gateway_bench
from tests.support.fake_gateway import TcpDial


async def token() -> str | ProbeFailure:
    return TOKEN


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.version)
async def test_what_a_simulated_release_understands_is_what_it_is_asked(release: Release) -> None:
    async with gateway_bench(release=release) as bench:
        line = Connector(AgentName("a"), dial=TcpDial(bench.port), token=token, clock=lambda: 0)
        connection = await line.connection()
        assert isinstance(connection, Connection), connection
        assert connection.dialect == dialect_of(release)
        assert connection.booted_at_ms is not None
        await line.close()


def test_limits_grow_with_age() -> None:
    """As measured on gateways of these releases."""
    assert dialect_of(NEWEST).limits == dialect_of(AUGUST).limits == ()
    july = (Limit.NO_FENCE, Limit.NO_LANES, Limit.NO_LOG_TRACE, Limit.NO_BOOT_ID)
    assert dialect_of(JULY).limits == july
    assert set(dialect_of(JUNE).limits) == set(july) | {Limit.NO_MACHINE}
