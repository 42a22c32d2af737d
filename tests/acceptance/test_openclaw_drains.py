"""A real gateway that another program suspends: it takes no cancel, nor does it say anything, and
what was asked of it is done once it goes on."""

import asyncio
import json
from pathlib import Path

import pytest

from fleet_tui.core.agents.model import Health
from fleet_tui.core.tasks.model import TaskPhase
from fleet_tui.wire.openclaw.connection import Connection, GatewayResult, connect
from fleet_tui.wire.openclaw.dial import dial_over_ssh
from tests.acceptance.gateways import Books, fleet_of
from tests.acceptance.rig import MakeRig
from tests.acceptance.test_openclaw_phases import EVERY, SOON_S, given, is_, phase, task
from tests.support.openclaw_lab import HOST, OpenClawLab
from tests.support.release_trials import pool_to

pytestmark = [
    pytest.mark.openclaw,
    pytest.mark.sshd,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("openclaw"),
]

CALL_MS = 20_000


async def test_a_cancel_that_a_draining_gateway_does_not_take_is_done_once_it_goes_on(
    openclaw_lab: OpenClawLab, make_rig: MakeRig, short_dir: Path
) -> None:
    lab = openclaw_lab
    gateway = lab.gateways[0]
    books = Books(lab.model)
    rig = fleet_of(make_rig, lab, [gateway], short_dir, every=EVERY)
    rig.start()
    await is_(rig, gateway, Health.UP)
    lab.model.gate.clear()
    one = await given(rig, "[[gate]] never mind", "--class", "once")
    await rig.until(lambda: books.at_the_model(task(rig, one)), SOON_S, "the run is at the model")
    label = task(rig, one).label

    async def why() -> str:
        done = await asyncio.to_thread(rig.cli, "why", label, "-f", str(rig.file))
        return " ".join(done.stdout.decode().split())

    async with pool_to(lab) as pool:
        line = await connect(dial_over_ssh(pool, HOST, gateway.port), gateway.token)
        assert isinstance(line, Connection)
        lease = {"requestId": "a-repair", "drain": True, "terminalPolicy": "terminate"}
        said = await line.call("gateway.suspend.prepare", lease, timeout_ms=CALL_MS)
        assert isinstance(said, GatewayResult)
        await is_(rig, gateway, Health.DRAINING)
        cancel = await asyncio.to_thread(rig.cli, "cancel", label, "--yes", "-f", str(rig.file))
        assert cancel.returncode == 0, cancel.stderr

        def is_refused() -> bool:
            run = task(rig, one).open_attempt
            return run is not None and run.cancel_refused is not None

        await rig.until(is_refused, SOON_S, "the cancel is refused")
        told = await why()
        assert "accepts no cancel while it drains; it is asked again" in told
        assert phase(rig, one) is TaskPhase.ACTIVE

        suspension = json.loads(bytes(said.payload))
        went_on = await line.call(
            "gateway.suspend.resume",
            {"suspensionId": suspension["suspensionId"]},
            timeout_ms=CALL_MS,
        )
        assert isinstance(went_on, GatewayResult)
        await line.close()
    await rig.until(lambda: phase(rig, one).is_closed, SOON_S, "it is cancelled")
    assert phase(rig, one) is TaskPhase.CANCELLED
    await is_(rig, gateway, Health.UP)
    lab.model.gate.set()
    assert books.answered() == {}
