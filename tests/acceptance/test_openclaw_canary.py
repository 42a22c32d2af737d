"""A real gateway whose model refuses everything: tasks stop going there, canary runs try it at
nobody's cost, and it is back once one of them goes well, whatever happens to the engine."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet_tui.core.agents.canary import PAYLOAD
from fleet_tui.core.agents.events import AgentTrusted, CanaryEnded, CanaryStarted
from fleet_tui.core.agents.model import Health
from fleet_tui.core.tasks.model import TaskPhase
from tests.acceptance.gateways import fleet_of
from tests.acceptance.rig import MakeRig, Rig
from tests.acceptance.test_openclaw_ends import session_keys
from tests.acceptance.test_openclaw_phases import EVERY, SOON_S, given, is_, phase, said, succeeded
from tests.support.openclaw_lab import Gateway, OpenClawLab
from tests.support.stub_model import StubModel

pytestmark = [
    pytest.mark.openclaw,
    pytest.mark.sshd,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("openclaw"),
]

SOONER = """
import sys
from functools import partial
from fleet_tui.cli.main import run
from fleet_tui.core.agents import outcomes
from fleet_tui.core.backoff import Backoff
from fleet_tui.engine import run as engines
from fleet_tui.engine.pacing import Pacing

outcomes.BREAK = Backoff(base_ms=1_000, cap_ms=2_000)
engines.run_engine = partial(engines.run_engine, pacing=Pacing(collect_every_s=0.5))
sys.exit(run(sys.argv[1:]))
"""
"""An engine that tries again after a second or two, and tidies up twice a second."""


@pytest.fixture
def model(openclaw_lab: OpenClawLab) -> Iterator[StubModel]:
    """The model of the lab, which answers again afterwards."""
    model = openclaw_lab.model
    yield model
    model.usual = ""
    model.gate.clear()


def canaries(rig: Rig, kind: type[CanaryStarted | CanaryEnded]) -> int:
    return sum(isinstance(record.event, kind) for record in rig.events())


def asked(model: StubModel) -> int:
    """How many requests of canary runs reached the model so far."""
    return sum(PAYLOAD.raw in text for text in model.begun)


def sessions(gateway: Gateway) -> bool:
    """Whether the gateway has a session of a canary run."""
    return any(":fleet:canary-" in key for key in session_keys(gateway))


async def test_a_gateway_whose_model_fails_comes_back_by_a_canary_run(
    openclaw_lab: OpenClawLab, make_rig: MakeRig, short_dir: Path, model: StubModel
) -> None:
    gateway = openclaw_lab.gateways[0]
    rig = fleet_of(make_rig, openclaw_lab, [gateway], short_dir, every=EVERY)
    rig.program = (sys.executable, "-c", SOONER)
    rig.start()
    await is_(rig, gateway, Health.UP)
    model.usual = "400"
    failed = [await given(rig, f"{n}", "--class", "once") for n in range(3)]
    await is_(rig, gateway, Health.SUSPECT)
    waiting = await given(rig, "wait", "--class", "idempotent")
    await rig.until(lambda: canaries(rig, CanaryEnded) >= 2, SOON_S, "canary runs fail")
    assert all(phase(rig, one) is TaskPhase.FAILED for one in failed)
    assert phase(rig, waiting) is TaskPhase.WAITING, "no task is what it is tried with"
    why = await said(rig, "why", waiting)
    assert gateway.name in str(why)

    model.gate.clear()
    model.usual = "gate"
    before, ended = asked(model), canaries(rig, CanaryEnded)
    await rig.until(lambda: asked(model) > before, SOON_S, "one more is at the model")
    rig.kill()
    rig.start()
    model.gate.set()
    await succeeded(rig, waiting)
    told = [r.event for r in rig.events() if isinstance(r.event, CanaryEnded)][ended:]
    assert [one.ok for one in told] == [True], "the next engine found it again"
    assert asked(model) == before + 1, "and did not start it again"
    [trusted] = [r.event for r in rig.events() if isinstance(r.event, AgentTrusted)]
    assert trusted.by_canary
    agent = rig.agent(gateway.name)
    assert (agent.breaker, agent.probation) == (None, None)
    assert agent.tokens > 0, "a canary run is paid for as any other"
    await rig.until(lambda: not sessions(gateway), SOON_S, "its sessions are deleted")
