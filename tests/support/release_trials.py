"""What an OpenClaw release lets an engine do, tried on a real gateway of it.

Each trial uses the port as the engine does, which asks again where it got no answer, and gives one
word for how it ended. The table of them is in the README; ``python -m tests.acceptance.releases``
makes it.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from msgspec.structs import replace

from fleet_tui.core.agents.vitals import ProbeFailure, VitalsReading
from fleet_tui.core.logs import LogLine
from fleet_tui.core.tasks.codes import FailedCode
from fleet_tui.core.tasks.evidence import (
    Definite,
    Died,
    Finished,
    LostReason,
    NotStarted,
    Running,
    RunOrder,
    Started,
    Stopped,
    Unknown,
)
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.wire.openclaw.connection import Connection, GatewayRefused, GatewayResult, connect
from fleet_tui.wire.openclaw.dial import dial_over_ssh
from fleet_tui.wire.openclaw.port import OpenClawPort
from fleet_tui.wire.openclaw.sessions import session_key
from fleet_tui.wire.port import Probes, Runs
from fleet_tui.wire.ssh.pool import SshPool
from tests.support import programs
from tests.support.openclaw_lab import HOST, Gateway, OpenClawLab
from tests.support.programs import answered, settled
from tests.support.stub_model import CACHED_TOKENS, INPUT_TOKENS, OUTPUT_TOKENS, StubModel

FAILED = "FAILED"

TRIAL_S = 400.0
"""The longest trial waits a minute for a turn that its gateway may continue. It took 230 s on a
gateway that stood still nine tenths of the time."""

ASK_MS = 60_000
"""How long the trials wait for an answer that the port would ask for again."""

COST_MICROUSD = round((INPUT_TOKENS - CACHED_TOKENS) * 3 + CACHED_TOKENS * 0.3 + OUTPUT_TOKENS * 15)
"""Of one answer of the stub model, at the prices its gateway is configured with."""


def order(message: str, *, limit_ms: int = 120_000) -> RunOrder:
    """An attempt at a task of its own."""
    task = f"01K{random.randrange(10**12):012d}"
    return RunOrder(
        run_id=f"{task}.1",
        task_id=task,
        attempt=1,
        payload=Untrusted(message),
        label="t-42",
        start_to_close_ms=limit_ms,
        trace_id=f"{random.getrandbits(128) | 1:032x}",
    )


def now_ms() -> int:
    """The clock of the ports in these tests."""
    return time.time_ns() // 1_000_000


@asynccontextmanager
async def pool_to(lab: OpenClawLab) -> AsyncIterator[SshPool]:
    """A way to the host of the gateways."""
    pool = SshPool(
        {HOST: lab.sshd.spec(HOST)}, rng=random.Random(1), clock=time.monotonic, known_hosts=None
    )
    try:
        yield pool
    finally:
        await pool.close()


@asynccontextmanager
async def port_to(
    pool: SshPool, gateway: Gateway, *, token: str | None = None, agent_id: str = "main"
) -> AsyncIterator[OpenClawPort]:
    """An agent of the gateway as an engine has it."""

    async def resolve() -> str | ProbeFailure:
        return token or gateway.token

    port = OpenClawPort(
        replace(gateway.spec, kind=replace(gateway.spec.kind, agent_id=agent_id)),
        dial=dial_over_ssh(pool, HOST, gateway.port),
        token=resolve,
        clock=now_ms,
        is_owner=lambda: True,
    )
    try:
        yield port
    finally:
        await port.close()


async def ready(port: Probes) -> VitalsReading:
    """The first reading of a gateway that takes work. On a busy machine its release may have been
    told too long ago to be in it."""
    while True:
        look = await port.probe()
        assert not (isinstance(look, ProbeFailure) and look.kind.is_permanent), look
        if isinstance(look, VitalsReading) and look.ready and look.version:
            return look
        await asyncio.sleep(0.1)


async def streaming(model: StubModel, answers: int) -> None:
    """Wait until the model gives so many answers at once: now there are turns to interrupt."""
    while model.streaming < answers:
        await asyncio.sleep(0.05)


async def finished(port: Runs, run: RunOrder) -> Finished:
    """The end of a run that is started here."""
    started = await port.start(run)
    assert isinstance(started, Unknown) or isinstance(started.value, Started), started
    return await programs.finished(port, run)


class Bench:
    """One gateway of a release on trial."""

    def __init__(self, lab: OpenClawLab, pool: SshPool, port: OpenClawPort) -> None:
        self.lab = lab
        self.pool = pool
        self.port = port
        self.gateway = lab.gateways[0]


async def takes_work(bench: Bench) -> str:
    """Answer, tokens and cost are the model's own, at once and from the transcript later."""
    run = order("what is it")
    result = await finished(bench.port, run)
    later = await answered(lambda: bench.port.inspect(run))
    assert result.ok, result
    assert result.answer.text.raw == "echo: what is it"
    assert isinstance(later.value, Finished), later
    assert later.value.answer == result.answer
    exact = result.usage.cost_microusd == later.value.usage.cost_microusd == COST_MICROUSD
    return "yes" if exact else f"cost {result.usage.cost_microusd}, {later.value.usage}"


async def cancels(bench: Bench) -> str:
    """A run at the model is aborted."""
    run = order("[[half 200]]")
    bench.lab.model.gate.clear()
    await bench.port.start(run)
    await streaming(bench.lab.model, 1)
    assert await settled(bench.port, run) == Definite(Running())
    cancelled = await answered(lambda: bench.port.cancel(run))
    assert isinstance(cancelled.value, Stopped), cancelled
    return "yes"


async def fails_as_said(bench: Bench) -> str:
    """A run past its limit is told as timed out, not as done."""
    result = await finished(bench.port, order("[[hang]]", limit_ms=2_000))
    assert not result.ok
    return result.failure


async def is_found_again(bench: Bench) -> str:
    """An engine that was not there finds a run and follows it."""
    run = order("[[gate]] hold on")
    bench.lab.model.gate.clear()
    await bench.port.start(run)
    async with port_to(bench.pool, bench.gateway) as other:
        assert await settled(other, run) == Definite(Running())
        bench.lab.model.gate.set()
        result = await programs.finished(other, run)
    assert result.answer.text.raw == "echo: [[gate]] hold on"
    return "yes"


async def refuses_late_start(bench: Bench) -> str:
    """A start that arrives after its attempt was fenced runs nothing, or the engine does not claim
    that it is fenced."""
    run = order("too late")
    line = await connect(dial_over_ssh(bench.pool, HOST, bench.gateway.port), bench.gateway.token)
    assert isinstance(line, Connection), line
    key = session_key("main", run)
    created = await line.call("sessions.create", {"key": key}, timeout_ms=ASK_MS)
    assert isinstance(created, GatewayResult), created
    session_id = bytes(created.payload).split(b'"sessionId":"')[1].split(b'"')[0].decode()
    fenced = await bench.port.inspect(run)
    while isinstance(fenced, Unknown) and fenced.reason is not LostReason.NO_TRACE:
        fenced = await bench.port.inspect(run)  # a busy gateway answers late
    late: dict[str, object] = {
        "message": "too late",
        "agentId": "main",
        "sessionKey": key,
        "idempotencyKey": run.run_id,
    }
    if isinstance(fenced, Unknown):
        sent = await line.call("agent", late, timeout_ms=ASK_MS)
        assert isinstance(sent, GatewayResult), sent
        await answered(lambda: bench.port.follow(run))
        await line.close()
        return "your verdict"
    assert fenced == Definite(NotStarted(reason="fenced", fenced=True)), fenced
    bound = late | {"expectedExistingSessionId": session_id}
    refused = await line.call("agent", bound, timeout_ms=ASK_MS)
    await line.close()
    assert isinstance(refused, GatewayRefused), refused
    assert await settled(bench.port, run) == fenced
    return "fenced"


async def names_tasks_in_logs(bench: Bench) -> str:
    """Lines of the gateway's log come, and name the task of the run they are about, before those
    of a later run."""
    tail = bench.port.tail()
    first = asyncio.ensure_future(anext(tail))
    while not first.done():  # a tail gives what is written after its first question
        await finished(bench.port, order("something to log"))
    run = order("something to find")
    await finished(bench.port, run)
    ended_ms = now_ms()
    await finished(bench.port, order("something later"))
    line = await first
    while not (isinstance(line, LogLine) and is_after(line, ended_ms)):
        if isinstance(line, LogLine) and line.task == run.task_id:
            return "yes"
        line = await anext(tail)
    return "lines only"


def is_after(line: LogLine, moment_ms: int) -> bool:
    """Whether a line tells that it was written later."""
    return line.written_at_ms is not None and line.written_at_ms > moment_ms


async def survives_a_kill(bench: Bench) -> str:
    """Two runs are at the model when the gateway is killed: one is fenced, the other settles."""
    kept, moved = order("[[half 30]]"), order("[[half 30]]")
    bench.lab.model.gate.clear()
    for run in (kept, moved):
        await bench.port.start(run)
    await streaming(bench.lab.model, 2)
    bench.gateway.kill()
    bench.gateway.start()
    await ready(bench.port)
    fenced = await answered(lambda: bench.port.fence(moved))
    assert isinstance(fenced.value, Stopped | NotStarted), fenced
    seen = await answered(lambda: bench.port.inspect(kept))
    went_on = isinstance(seen.value, Running)
    bench.lab.model.gate.set()
    ended = await answered(lambda: bench.port.follow(kept)) if went_on else seen
    match ended.value:
        case Finished(ok=True, answer=answer):
            assert answer.text.raw.endswith("w29"), ended
            word = "resumed"
        case Finished(failure=failure) if failure == FailedCode.TEXT_LOST:
            word = "answer not taken"
        case Died() if not went_on:
            word = "not resumed"
        case other:
            raise AssertionError(other)
    again = await answered(lambda: bench.port.inspect(moved))
    assert not isinstance(again.value, Running | Started), again
    assert not (isinstance(again.value, Finished) and again.value.ok), again
    return word


TRIALS: dict[str, Callable[[Bench], Awaitable[str]]] = {
    "work, tokens and cost": takes_work,
    "cancel": cancels,
    "run limit": fails_as_said,
    "found after an engine restart": is_found_again,
    "late start": refuses_late_start,
    "log lines by task": names_tasks_in_logs,
    "turn after kill -9": survives_a_kill,
}
"""By the column of the table that each fills."""


def failures(row: dict[str, str]) -> list[str]:
    """The trials of the release that did not end as they must, and how they did."""
    return [f"{name}: {word}" for name, word in row.items() if word.startswith(FAILED)]


def has_failed(row: dict[str, str]) -> bool:
    """Whether a trial of the release did not end as it must."""
    return bool(failures(row))


async def try_release(lab: OpenClawLab) -> dict[str, str]:
    """The row of a release: what its hello and its limits are, and how each trial ended."""
    row: dict[str, str] = {}
    async with pool_to(lab) as pool, port_to(pool, lab.gateways[0]) as port:
        reading = await ready(port)
        row["release"] = reading.version or ""
        row["limits"] = " ".join(reading.limits or ()) or "none"
        for name, trial in TRIALS.items():
            try:
                async with asyncio.timeout(TRIAL_S):
                    row[name] = await trial(Bench(lab, pool, port))
            except (AssertionError, TimeoutError) as error:
                row[name] = f"{FAILED}: {type(error).__name__} {error}"[:300]
    return row
