"""The port against real gateways behind a real sshd."""

import asyncio
import signal

import pytest

from fleet_tui.core.agents.vitals import FailureKind, ModelTrouble, ProbeFailure, VitalsReading
from fleet_tui.core.ids import RunId
from fleet_tui.core.logs import LogLine
from fleet_tui.core.tasks.evidence import (
    Definite,
    Finished,
    LostReason,
    NotStarted,
    Running,
    RunOrder,
    Started,
    Stopped,
    Unknown,
)
from fleet_tui.wire.openclaw import sessions
from fleet_tui.wire.openclaw.connection import Connection, GatewayRefused, GatewayResult, connect
from fleet_tui.wire.openclaw.dial import dial_over_ssh
from fleet_tui.wire.openclaw.port import OpenClawPort
from fleet_tui.wire.openclaw.sessions import session_key
from fleet_tui.wire.port import KeptRuns
from tests.support.openclaw_lab import HOST, OPENCLAW_VERSION, OpenClawLab
from tests.support.programs import answered, settled
from tests.support.release_trials import (
    COST_MICROUSD,
    finished,
    order,
    pool_to,
    port_to,
    ready,
    streaming,
)
from tests.support.stub_model import CACHED_TOKENS, INPUT_TOKENS, MODEL, OUTPUT_TOKENS

pytestmark = [
    pytest.mark.openclaw,
    pytest.mark.sshd,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.xdist_group("openclaw"),
]


async def test_probes_side_by_side_through_one_ssh_connection(openclaw_lab: OpenClawLab) -> None:
    async with pool_to(openclaw_lab) as pool:
        one, two = openclaw_lab.gateways[:2]
        async with port_to(pool, one) as first, port_to(pool, two) as second:
            looks = await asyncio.gather(ready(first), ready(second))
            again = await first.probe()
        assert len(openclaw_lab.sshd.sessions()) == 1
    for look in looks:
        assert look.version == OPENCLAW_VERSION
        assert look.capacity == 8
        assert look.active == 0
        assert look.rss_bytes is not None
        assert look.rss_bytes > 100_000_000
        assert look.disk_free_bytes
        assert look.clock_skew_ms == pytest.approx(0, abs=5_000)
    assert looks[0].boot_id != looks[1].boot_id
    assert isinstance(again, VitalsReading)
    assert again.boot_id == looks[0].boot_id


async def test_a_model_that_fails_is_told_while_its_run_goes_on(openclaw_lab: OpenClawLab) -> None:
    run = order("[[429]] once more")
    async with pool_to(openclaw_lab) as pool, port_to(pool, openclaw_lab.gateways[0]) as port:
        await ready(port)
        assert isinstance(await port.start(run), Definite)
        found: ModelTrouble | None = None
        while found is None:
            look = await port.probe()
            assert isinstance(look, VitalsReading)
            found = (look.model_troubles or {}).get(RunId(run.run_id))
        assert found.reason == "rate limit"
        assert found.attempt >= 2
        assert found.of == 10
        assert isinstance(await answered(lambda: port.cancel(run)), Definite)


async def test_three_runs_at_once_with_tokens_cost_and_logs(openclaw_lab: OpenClawLab) -> None:
    runs = [order(f"[[sleep 1]] number {n}") for n in range(3)]
    async with pool_to(openclaw_lab) as pool, port_to(pool, openclaw_lab.gateways[0]) as port:
        tail = port.tail()
        first_line = asyncio.ensure_future(anext(tail))
        results = await asyncio.gather(*(finished(port, run) for run in runs))
        line = await first_line
        while not (isinstance(line, LogLine) and line.task == runs[2].task_id):
            line = await anext(tail)
        for run, result in zip(runs, results, strict=True):
            assert result.ok
            assert result.answer.text.raw == f"echo: {run.payload.raw}"
            assert result.usage.input_tokens == INPUT_TOKENS - CACHED_TOKENS
            assert result.usage.cache_read_tokens == CACHED_TOKENS
            assert result.usage.output_tokens == OUTPUT_TOKENS
            assert result.usage.cost_microusd == COST_MICROUSD
            assert result.usage.model == MODEL
            # The transcript tells the same later, to an engine that was not there.
            later = await settled(port, run)
            assert isinstance(later, Definite)
            assert isinstance(later.value, Finished)
            assert later.value.answer == result.answer
            assert later.value.usage == result.usage


async def test_cancelling_a_running_run(openclaw_lab: OpenClawLab) -> None:
    run = order("[[half 200]]")
    openclaw_lab.model.gate.clear()
    async with pool_to(openclaw_lab) as pool, port_to(pool, openclaw_lab.gateways[0]) as port:
        await port.start(run)
        # A gateway that is told to abort before it has let the run in says that the run failed.
        await streaming(openclaw_lab.model, 1)
        assert await settled(port, run) == Definite(Running())
        cancelled = await answered(lambda: port.cancel(run))
        assert isinstance(cancelled, Definite)
        assert isinstance(cancelled.value, Stopped)
        outcome = await answered(lambda: port.follow(run))
        assert isinstance(outcome, Definite)
        assert isinstance(outcome.value, Stopped)


async def test_a_run_of_an_engine_that_died_is_followed_by_the_next(
    openclaw_lab: OpenClawLab,
) -> None:
    run = order("[[gate]] hold on")
    openclaw_lab.model.gate.clear()
    async with pool_to(openclaw_lab) as pool:
        async with port_to(pool, openclaw_lab.gateways[0]) as old:
            await old.start(run)
        async with port_to(pool, openclaw_lab.gateways[0]) as new:
            assert await new.inspect(run) == Definite(Running())
            openclaw_lab.model.gate.set()
            outcome = await new.follow(run)
    assert isinstance(outcome, Definite)
    assert isinstance(outcome.value, Finished)
    assert outcome.value.answer.text.raw == "echo: [[gate]] hold on"


async def test_a_run_limit_ends_the_run(openclaw_lab: OpenClawLab) -> None:
    short = order("[[hang]]")
    run = RunOrder(
        run_id=short.run_id,
        task_id=short.task_id,
        attempt=1,
        payload=short.payload,
        label=short.label,
        start_to_close_ms=2_000,
        trace_id=short.trace_id,
    )
    async with pool_to(openclaw_lab) as pool, port_to(pool, openclaw_lab.gateways[0]) as port:
        result = await finished(port, run)
    assert not result.ok
    assert result.failure == "timeout"


async def test_a_fenced_attempt_can_never_start(openclaw_lab: OpenClawLab) -> None:
    run = order("too late")
    gateway = openclaw_lab.gateways[0]
    async with pool_to(openclaw_lab) as pool, port_to(pool, gateway) as port:
        dial = dial_over_ssh(pool, HOST, gateway.port)
        line = await connect(dial, gateway.token)
        assert isinstance(line, Connection)
        key = session_key("main", run)
        created = await line.call("sessions.create", {"key": key}, timeout_ms=10_000)
        assert b"sessionId" in bytes(created.payload)  # type: ignore[union-attr]  # or it fails
        session = created.payload  # type: ignore[union-attr]  # checked on the line above
        assert await settled(port, run) == Definite(NotStarted(reason="fenced", fenced=True))
        # What an engine that died had sent before now reaches the gateway.
        late = await line.call("agent", _late(run, key, bytes(session)), timeout_ms=10_000)
        await line.close()
        assert isinstance(late, GatewayRefused)
        assert await settled(port, run) == Definite(NotStarted(reason="fenced", fenced=True))


def _late(run: RunOrder, key: str, created: bytes) -> dict[str, object]:
    session_id = created.split(b'"sessionId":"')[1].split(b'"')[0].decode()
    return {
        "message": "too late",
        "agentId": "main",
        "sessionKey": key,
        "expectedExistingSessionId": session_id,
        "idempotencyKey": run.run_id,
    }


async def kept(port: OpenClawPort, skip: int) -> KeptRuns:
    """A gateway that is busy with the sessions just made may not answer in time: the engine asks
    again then, too."""
    async with asyncio.timeout(60):
        while (part := await port.kept(skip)) is None:
            await asyncio.sleep(0.05)
    return part


async def test_sessions_of_attempts_are_found_on_the_gateway_and_deleted(
    openclaw_lab: OpenClawLab,
) -> None:
    gateway = openclaw_lab.gateways[0]
    runs = [RunId(order("never").run_id) for _ in range(sessions.LIST_LIMIT + 1)]
    async with pool_to(openclaw_lab) as pool, port_to(pool, gateway) as port:
        line = await connect(dial_over_ssh(pool, HOST, gateway.port), gateway.token)
        assert isinstance(line, Connection)
        for key in ["agent:main:other", *(sessions.key_of("main", run) for run in runs)]:
            made = await line.call("sessions.create", {"key": key}, timeout_ms=10_000)
            assert isinstance(made, GatewayResult)
        await line.close()
        found: list[RunId] = []
        part = KeptRuns((), 0)
        while part.following is not None:
            part = await kept(port, part.following)
            found += part.runs
        assert set(runs) <= set(found)
        assert len(found) == len(set(found))
        assert await port.collect(runs[:2]) == runs[:2]
        left = await kept(port, 0)
        assert not set(runs[:2]) & set(left.runs)
        assert set(runs) & set(left.runs)


async def test_a_wrong_token_is_told_apart_from_a_sick_gateway(openclaw_lab: OpenClawLab) -> None:
    run = order("never")
    gateway = openclaw_lab.gateways[0]
    async with pool_to(openclaw_lab) as pool, port_to(pool, gateway, token="wrong") as port:
        while isinstance(look := await port.probe(), VitalsReading):
            await asyncio.sleep(0.05)
        assert look.kind is FailureKind.GATEWAY_AUTH
        started = await port.start(run)
    assert isinstance(started, Definite)
    assert isinstance(started.value, NotStarted)
    assert started.value.reason == "gateway-auth"


async def test_an_agent_that_a_gateway_does_not_have_gets_no_work(
    openclaw_lab: OpenClawLab,
) -> None:
    gateway = openclaw_lab.gateways[0]
    async with pool_to(openclaw_lab) as pool, port_to(pool, gateway, agent_id="nobody") as port:
        while isinstance(look := await port.probe(), VitalsReading):
            assert not look.ready
            await asyncio.sleep(0.05)
    assert look.kind is FailureKind.AGENT_MISSING
    # Others may have given it a second one.
    assert look.detail.raw.startswith("the gateway has no agent 'nobody'; it has main")


async def test_a_frozen_gateway_is_hung_and_works_again(openclaw_lab: OpenClawLab) -> None:
    gateway = openclaw_lab.gateways[0]
    assert gateway.process is not None
    async with pool_to(openclaw_lab) as pool, port_to(pool, gateway) as port:
        before = await ready(port)
        gateway.process.send_signal(signal.SIGSTOP)
        try:
            look = await port.probe()
        finally:
            gateway.process.send_signal(signal.SIGCONT)
        assert isinstance(look, ProbeFailure)
        assert look.kind is FailureKind.GATEWAY_HUNG
        assert (await ready(port)).boot_id == before.boot_id


async def test_a_crash_in_mid_run_resumed_for_one_and_fenced_for_the_other(
    openclaw_lab: OpenClawLab,
) -> None:
    gateway = openclaw_lab.gateways[1]
    kept, moved, done = order("[[half 30]]"), order("[[half 30]]"), order("before")
    openclaw_lab.model.gate.clear()
    async with pool_to(openclaw_lab) as pool, port_to(pool, gateway) as port:
        before = await ready(port)
        early = await finished(port, done)
        for run in (kept, moved):
            started = await port.start(run)
            assert started == Definite(Started(boot_id=before.boot_id))
        followers = [asyncio.ensure_future(port.follow(run)) for run in (kept, moved)]
        await streaming(openclaw_lab.model, 2)
        gateway.kill()
        for outcome in await asyncio.gather(*followers):
            assert isinstance(outcome, Unknown)
            assert outcome.reason is LostReason.CONNECTION_LOST
        down = await port.probe()
        assert isinstance(down, ProbeFailure)
        assert down.kind is FailureKind.GATEWAY_DOWN
        assert isinstance(await port.inspect(kept), Unknown)

        gateway.start()
        while (await ready(port)).boot_id == before.boot_id:
            pass  # it says that it is ready before it was asked anew who it is
        fenced = await answered(lambda: port.fence(moved))
        assert fenced == Definite(Stopped())
        resumed = await settled(port, kept)
        assert resumed == Definite(Running(resumed_by_agent=True))
        openclaw_lab.model.gate.set()
        outcome = await answered(lambda: port.follow(kept))
        assert isinstance(outcome, Definite)
        assert isinstance(outcome.value, Finished)
        assert outcome.value.ok
        assert outcome.value.answer.text.raw.endswith("w29")
        assert outcome.value.usage.cost_microusd == COST_MICROUSD
        # The fence held all the while, and what had finished before is still known.
        assert await settled(port, moved) == Definite(Stopped())
        remembered = await settled(port, done)
        assert isinstance(remembered, Definite)
        assert isinstance(remembered.value, Finished)
        assert remembered.value.answer == early.answer
