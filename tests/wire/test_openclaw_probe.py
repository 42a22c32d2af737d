"""Probes of a scripted gateway and of servers that are none."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from fleet_tui.core.agents.vitals import FailureKind, ProbeFailure, VitalsReading
from fleet_tui.core.tasks.evidence import Definite, NotStarted
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.wire.openclaw import port
from fleet_tui.wire.openclaw.connector import REFUSED_HOLD_MS, TOKEN_EVERY_MS
from fleet_tui.wire.openclaw.dial import GatewayFailure
from fleet_tui.wire.openclaw.stream import MessageStream
from fleet_tui.wire.ssh.failures import SshFailure
from tests.support.fake_gateway import (
    AGENT,
    NOW_MS,
    ORDER,
    READY,
    Clock,
    FakeGateway,
    Refuse,
    at_work,
    port_to,
    raw_server,
    running,
)

HTTP_OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"


def deep_ready(gateway: FakeGateway) -> FakeGateway:
    """Answers for everything a probe asks."""
    lane = {"lane": "main", "queuedCount": 2, "activeCount": 1, "maxConcurrent": 8}
    gateway.handlers["diagnostics.lanes"] = lambda _: {"ts": NOW_MS + 40, "lanes": [lane]}
    gateway.handlers["system.info"] = lambda _: {"processMemory": {"rssBytes": 5}}
    return gateway


async def test_a_probe_reads_both_halves() -> None:
    async with at_work(deep_ready(FakeGateway())) as subject:
        reading = await subject.probe()
    assert isinstance(reading, VitalsReading)
    assert reading.agent == AGENT
    assert reading.observed_at_ms == NOW_MS
    assert reading.ready
    assert (reading.version, reading.boot_id) == ("2026.9.6", "boot-1")
    assert (reading.active, reading.queued, reading.capacity) == (1, 2, 8)
    assert reading.rss_bytes == 5
    assert reading.clock_skew_ms == pytest.approx(40, abs=39)
    assert reading.latency_ms > 0


async def test_the_upgrade_offers_no_extensions_not_even_none() -> None:
    """An empty header is a bad request to some releases, and what is sent is not compressed."""
    gateway = FakeGateway()
    async with running(gateway) as dial:
        channel = await dial()
        assert not isinstance(channel, GatewayFailure)
        stream = MessageStream(channel)
        await stream.open()
        stream.close()
    assert gateway.headers["Upgrade"] == "websocket"
    assert "Sec-WebSocket-Extensions" not in gateway.headers


async def test_the_deep_half_is_asked_for_only_now_and_then() -> None:
    gateway, clock = deep_ready(FakeGateway()), Clock()
    async with running(gateway) as dial, port_to(dial, clock=clock) as subject:
        for _ in range(3):
            await subject.probe()
        assert len(gateway.asked("system.info")) == 1
        clock.now_ms += port.DEEP_EVERY_MS
        await subject.probe()
        assert len(gateway.asked("system.info")) == 2
        assert len(gateway.asked("connect")) == 1


async def test_a_new_process_is_seen_at_the_next_probe() -> None:
    gateway = deep_ready(FakeGateway())
    async with at_work(gateway) as subject:
        await subject.probe()
        gateway.hello["server"]["bootId"] = "boot-2"
        await gateway.cut()
        reading = await until(subject.probe, lambda r: getattr(r, "boot_id", "") == "boot-2")
    assert isinstance(reading, VitalsReading)


async def test_deep_values_that_grew_old_are_not_shown() -> None:
    gateway, clock = deep_ready(FakeGateway()), Clock()
    async with running(gateway) as dial, port_to(dial, clock=clock) as subject:
        await subject.probe()
        gateway.handlers["system.info"] = starting
        clock.now_ms += port.DEEP_MAX_AGE_MS + 1
        reading = await subject.probe()
    assert isinstance(reading, VitalsReading)
    assert reading.active is None
    assert not reading.ready
    assert reading.note == ("it calls itself ready, but requests fail: its gateway is starting")
    assert reading.said.raw == "UNAVAILABLE startup-sidecars: not yet"


def starting(_params: dict[str, Any]) -> None:
    raise Refuse("UNAVAILABLE", message="not yet", details={"reason": "startup-sidecars"})


async def test_a_draining_gateway_is_not_ready_and_says_so() -> None:
    gateway = FakeGateway()
    gateway.ready, gateway.ready_status = b'{"ready":false,"failing":["gateway-draining"]}', 503
    async with at_work(gateway) as subject:
        reading = await subject.probe()
    assert isinstance(reading, VitalsReading)
    assert not reading.ready
    assert reading.note == "draining"
    assert gateway.requests == []


async def test_a_port_nobody_listens_on_is_down() -> None:
    async with running(FakeGateway()) as dial:
        pass
    async with port_to(dial) as subject:
        assert await failed(subject) is FailureKind.GATEWAY_DOWN
        answer = await subject.start(ORDER)
    assert answer == Definite(NotStarted(reason="gateway-down"))


async def test_a_gateway_that_accepts_and_says_nothing_is_hung() -> None:
    async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with raw_server(silent) as dial, port_to(dial, timeout_ms=50) as subject:
        assert await failed(subject) is FailureKind.GATEWAY_HUNG


async def test_a_channel_that_does_not_open_in_time_says_nothing_about_the_gateway() -> None:
    async def never() -> Any:
        await asyncio.Event().wait()

    async with port_to(never, timeout_ms=50) as subject:
        assert await failed(subject) is FailureKind.TIMEOUT
    unknown = SshFailure(kind=FailureKind.SSH_UNREACHABLE, detail=Untrusted("still connecting"))
    async with port_to(never, timeout_ms=50, host=unknown) as subject:
        look = await subject.probe()
    assert isinstance(look, ProbeFailure)
    assert (look.kind, look.detail) == (unknown.kind, unknown.detail)


@pytest.mark.parametrize(
    "said",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x00\xff\x1b]0;title\x07" * 10,
        HTTP_OK % (15, b"<html>no</html>"),
        HTTP_OK % (9, b"{\xff: true}"),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 70_000,
        b"HTTP/1.1 200 OK\r\n" + b"X-Pad: y\r\n" * 50_000,
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\ncut short",
    ],
)
async def test_whatever_else_answers_is_a_bad_answer(said: bytes) -> None:
    async def blurt(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        await writer.drain()
        writer.write_eof()
        await reader.read()

    async with raw_server(blurt) as dial, port_to(dial) as subject:
        assert await failed(subject) is FailureKind.BAD_ANSWER


async def test_the_channel_is_kept_and_replaced_once_it_was_closed() -> None:
    questions = 0

    async def two_each(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal questions
        for _ in range(2):
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"GET /readyz"):
                return
            questions += 1
            writer.write(HTTP_OK % (len(READY), READY))
            await writer.drain()

    async with raw_server(two_each) as dial, port_to(dial) as subject:
        http = subject._http
        for _ in range(5):
            await http.get("/readyz")
    assert questions == 5
    assert dial.opened == 3


async def test_probes_that_overlap_take_turns_on_the_channel() -> None:
    async with running(deep_ready(FakeGateway())) as dial, port_to(dial) as subject:
        probes = await asyncio.gather(*(subject.probe() for _ in range(5)))
    assert all(isinstance(look, VitalsReading) for look in probes)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": "X", "details": {"code": "AUTH_TOKEN_MISMATCH"}}, FailureKind.GATEWAY_AUTH),
        ({"code": "X", "details": {"code": "PROTOCOL_MISMATCH"}}, FailureKind.PROTOCOL_MISMATCH),
    ],
)
async def test_a_refused_token_is_not_tried_again_and_again(
    error: dict[str, Any], kind: FailureKind
) -> None:
    gateway, clock = deep_ready(FakeGateway()), Clock()

    def refuse(_params: dict[str, Any]) -> None:
        raise Refuse(**error)

    gateway.handlers["connect"] = refuse
    async with running(gateway) as dial, port_to(dial, clock=clock) as subject:
        for _ in range(4):
            assert await failed(subject) is kind
        start = await subject.start(ORDER)
        assert start == Definite(NotStarted(reason=kind.value, detail=detail_of(start)))
        assert len(gateway.asked("connect")) == 1
        clock.now_ms += REFUSED_HOLD_MS
        del gateway.handlers["connect"]
        assert isinstance(await subject.probe(), VitalsReading)


async def test_a_slow_refusal_is_reported_by_a_later_probe(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gateway = FakeGateway()
    refused = asyncio.Event()

    async def tar_pit(dial: Any, token: str, *, on_event: Any) -> Any:
        assert token == "right"
        await refused.wait()
        return GatewayFailure(kind=FailureKind.GATEWAY_AUTH)

    monkeypatch.setattr("fleet_tui.wire.openclaw.connector.connect", tar_pit)
    async with running(gateway) as dial, port_to(dial, timeout_ms=300) as subject:
        assert isinstance(await subject.probe(), VitalsReading)
        refused.set()
        assert await failed(subject) is FailureKind.GATEWAY_AUTH


async def test_a_missing_secret_is_the_probes_answer() -> None:
    missing = ProbeFailure(agent=AGENT, observed_at_ms=1, kind=FailureKind.SECRET_MISSING)
    async with running(FakeGateway()) as dial, port_to(dial, token=missing) as subject:
        assert await failed(subject) is FailureKind.SECRET_MISSING


async def test_too_few_scopes_are_seen_before_any_work() -> None:
    gateway = deep_ready(FakeGateway())
    gateway.hello["auth"]["scopes"] = ["operator.read"]
    async with at_work(gateway) as subject:
        assert await failed(subject) is FailureKind.GATEWAY_SCOPE


def detail_of(answer: Any) -> Untrusted:
    detail = answer.value.detail
    assert isinstance(detail, Untrusted)
    return detail


async def failed(subject: port.OpenClawPort) -> FailureKind:
    look = await subject.probe()
    assert isinstance(look, ProbeFailure), look
    assert look.agent == AGENT
    return look.kind


async def until(ask: Callable[[], Any], good: Callable[[Any], bool]) -> Any:
    """Ask until the answer is good; the test's own timeout is the limit."""
    while not good(answer := await ask()):
        await asyncio.sleep(0.001)
    return answer


async def test_a_lost_connection_is_told_at_once_with_what_the_gateway_gave_as_its_reason() -> None:
    gateway = deep_ready(FakeGateway())
    async with at_work(gateway) as subject:
        await subject.probe()
        losing = asyncio.create_task(subject.lost())
        await asyncio.sleep(0)
        await gateway.cut()
        async with asyncio.timeout(20):
            lost = await losing
        assert lost.agent == AGENT
        assert lost.kind is FailureKind.GATEWAY_DOWN
        assert lost.detail.raw.startswith("connection closed")
        again = asyncio.create_task(subject.lost())
        await asyncio.wait([again], timeout=0)
        assert not again.done(), "each loss is told once"
        again.cancel()
        await asyncio.wait([again])


async def test_a_connection_that_is_closed_here_is_not_lost() -> None:
    async with at_work(deep_ready(FakeGateway())) as subject:
        await subject.probe()
        losing = asyncio.create_task(subject.lost())
        await asyncio.sleep(0)
        await subject.close()
        for _ in range(20):
            await asyncio.sleep(0)
        assert not losing.done()
        losing.cancel()
        await asyncio.wait([losing])


@pytest.mark.parametrize("at_first", ["wrong", None])
async def test_a_mended_token_is_tried_as_soon_as_it_is_there(at_first: str | None) -> None:
    gateway, clock = deep_ready(FakeGateway()), Clock()
    missing = ProbeFailure(agent=AGENT, observed_at_ms=1, kind=FailureKind.SECRET_MISSING)
    tokens: list[str | ProbeFailure] = [missing if at_first is None else at_first]

    def check(params: dict[str, Any]) -> None:
        if params["auth"]["token"] != "right":
            raise Refuse(code="INVALID_REQUEST", details={"code": "AUTH_TOKEN_MISMATCH"})

    gateway.handlers["connect"] = check
    async with (
        running(gateway) as dial,
        port_to(dial, clock=clock, token=lambda: tokens[-1]) as subject,
    ):
        await failed(subject)
        asked = len(gateway.asked("connect"))
        clock.now_ms += TOKEN_EVERY_MS
        await failed(subject)
        assert len(gateway.asked("connect")) == asked, "the same token is not tried again"
        tokens.append("right")
        await failed(subject)
        clock.now_ms += TOKEN_EVERY_MS
        assert isinstance(await subject.probe(), VitalsReading)


def up_for(uptime_ms: int) -> bytes:
    return b'{"ready":true,"failing":[],"uptimeMs":%d}' % uptime_ms


async def test_what_one_process_refused_is_asked_of_the_next() -> None:
    gateway = deep_ready(FakeGateway())
    gateway.ready = up_for(600_000)

    def refuse(_params: dict[str, Any]) -> None:
        raise Refuse(code="INVALID_REQUEST", details={"code": "AUTH_TOKEN_MISMATCH"})

    gateway.handlers["connect"] = refuse
    async with at_work(gateway) as subject:
        for _ in range(3):
            assert await failed(subject) is FailureKind.GATEWAY_AUTH
        assert len(gateway.asked("connect")) == 1
        # Its configuration was mended, and it was started again.
        gateway.ready = up_for(4_000)
        assert await failed(subject) is FailureKind.GATEWAY_AUTH
        assert len(gateway.asked("connect")) == 2
        del gateway.handlers["connect"]
        assert await failed(subject) is FailureKind.GATEWAY_AUTH, "the same process has refused it"
        gateway.ready = up_for(1)
        assert isinstance(await subject.probe(), VitalsReading)
