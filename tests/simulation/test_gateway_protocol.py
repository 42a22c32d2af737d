"""The simulated gateway answers in the shapes that real ones were recorded with."""

from typing import Any

import pytest

from tests.simulation.gateway_client import (
    SHAPES,
    Client,
    connect_params,
    gateway_bench,
    misfits,
    names,
    run_plan,
)


async def test_probes_without_a_token() -> None:
    async with gateway_bench() as bench:
        for path, name in (
            ("/healthz", "healthz"),
            ("/startupz", "startupz"),
            ("/readyz", "readyz"),
        ):
            status, body = await bench.get(path)
            assert status == 200
            assert names(body) == names(SHAPES[name])
            assert not misfits(body, SHAPES[name])
        status, body = await bench.get("/readyz", "X-Forwarded-For: 192.0.2.1")
        assert (status, body["error"]["type"]) == (403, "proxy_attribution_required")
        assert (await bench.get("/metrics"))[0] == 404


async def test_probes_while_starting() -> None:
    async with gateway_bench(speed=1) as bench:
        bench.gateway.kill()
        bench.gateway.start(boot_s=1_000)
        assert not bench.gateway.is_listening
        bench.gateway.process.is_listening = True
        assert await bench.get("/healthz") == (200, {"ok": True, "status": "live"})
        status, body = await bench.get("/startupz")
        assert (status, body["ok"], body["status"]) == (503, False, "starting")
        status, body = await bench.get("/readyz")
        assert (status, body["ready"], body["failing"]) == (503, False, ["startup-sidecars"])
        client = await bench.open()
        refused = await client.call("connect", connect_params())
        assert refused["error"]["code"] == "UNAVAILABLE"
        assert refused["error"]["details"] == {"reason": "startup-sidecars"}
        assert refused["error"]["retryAfterMs"] == 500


async def test_hello_says_who_answers_and_what_is_allowed() -> None:
    async with gateway_bench() as bench:
        client = await bench.open()
        challenge = SHAPES["events"]["challenge"]
        assert not misfits(client.events[0], challenge)
        hello = await client.payload("connect", connect_params())
        assert not misfits(hello, SHAPES["hello-ok"])
        wanted = {"bootId", "buildId", "connId", "version", "controlUiBuildSource"}
        assert set(hello["server"]) == wanted
        assert hello["policy"]["tickIntervalMs"] == 30_000
        assert len(hello["auth"]["scopes"]) == 3
        other = await (await bench.open()).payload("connect", connect_params())
        assert other["server"]["bootId"] == hello["server"]["bootId"]
        assert other["server"]["connId"] != hello["server"]["connId"]


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("wrong token", {"auth": {"token": "wrong"}}),
        ("empty token", {"auth": {"token": ""}}),
        ("old protocol", {"minProtocol": 3, "maxProtocol": 3}),
    ],
)
async def test_refused_connections(name: str, changes: dict[str, Any]) -> None:
    async with gateway_bench() as bench:
        client = await bench.open()
        refused = await client.call("connect", connect_params(**changes))
        assert not refused["ok"]
        assert names(refused["error"]) == names(SHAPES["errors"][name])
        await client.ended()
        assert client.close_code == 1008


async def test_wrong_tokens_wait_longer_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async with gateway_bench() as bench:
        waits: list[float] = []

        async def noted(simulated_s: float) -> None:
            waits.append(simulated_s)

        monkeypatch.setattr(bench.gateway.process.pace, "sleep", noted)
        for _ in range(7):
            client = await bench.open()
            await client.call("connect", connect_params("wrong"))
        assert [wait for wait in waits if wait != 30] == [0.25, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0]


async def test_what_must_come_first_and_who_may_ask() -> None:
    async with gateway_bench() as bench:
        client = await bench.open()
        refused = await client.call("status")
        assert refused["error"]["message"] == "invalid handshake: first request must be connect"
        stranger = await bench.open()
        strange = connect_params(client={"id": "invented", "mode": "backend"})
        assert not (await stranger.call("connect", strange))["ok"]
        reader = await bench.client(scopes=["operator.read"])
        assert (await reader.payload("health"))["ok"]
        forbidden = await reader.answer(reader.dispatch("r"))
        assert names(forbidden["error"]) == names(SHAPES["errors"]["agent with read scope"])
        assert forbidden["error"]["details"]["missingScope"] == "operator.write"
        browser = await bench.client(client={"id": "gateway-client", "mode": "ui"})
        assert (await browser.call("health"))["error"]["code"] == "FORBIDDEN"


async def test_unknown_methods_and_bad_parameters() -> None:
    async with gateway_bench() as bench:
        client = await bench.client()
        unknown = await client.call("sessions.explode")
        assert unknown["error"]["code"] == "INVALID_REQUEST"
        assert "unknown method: sessions.explode" in unknown["error"]["message"]
        bad = await client.call("agent", {"message": 7, "idempotencyKey": "x"})
        assert bad["error"]["message"].startswith("invalid agent params: ")
        much = await client.call("logs.tail", {"limit": 100_000})
        assert much["error"]["message"] == "invalid logs.tail params: at /limit: must be <= 5000"


async def _run_something(client: Client) -> dict[str, Any]:
    request = client.dispatch("run-1", "Read the report")
    await client.answer(request)
    return await client.answer(request)


@pytest.mark.parametrize(
    ("method", "params", "shape"),
    [
        ("status", {}, "status"),
        ("health", {}, "health"),
        ("system.info", {}, "system.info"),
        ("diagnostics.lanes", {}, "diagnostics.lanes-busy"),
        ("logs.tail", {}, "logs.tail"),
        ("config.get", {}, "config.get"),
        ("usage.cost", {"days": 2}, "usage.cost"),
        ("agents.list", {}, "agents.list"),
        ("models.list", {}, "models.list"),
        ("tasks.list", {}, "tasks.list"),
        ("sessions.list", {}, "sessions.list"),
        ("gateway.restart.request", {}, "gateway.restart.request"),
    ],
)
async def test_answers_have_the_recorded_shapes(
    method: str, params: dict[str, Any], shape: str
) -> None:
    async with gateway_bench() as bench:
        client = await bench.client()
        await _run_something(client)
        assert not misfits(await client.payload(method, params), SHAPES[shape])


async def test_fields_clients_live_by_are_there() -> None:
    async with gateway_bench() as bench:
        client = await bench.client()
        await _run_something(client)
        lanes = await client.payload("diagnostics.lanes")
        main = next(lane for lane in lanes["lanes"] if lane["lane"] == "main")
        assert (main["queuedCount"], main["activeCount"], main["maxConcurrent"]) == (0, 0, 8)
        info = await client.payload("system.info")
        assert info["disks"][0]["availableBytes"] > 0
        assert info["processMemory"]["rssBytes"] > 500_000_000
        status = await client.payload("status")
        assert status["tasks"]["byStatus"]["succeeded"] == 1
        first = await client.payload("usage.cost", {"days": 1})
        assert first["cacheStatus"]["status"] == "refreshing"
        assert first["totals"]["totalCost"] == 0


async def test_a_run_is_accepted_and_answered_later() -> None:
    async with gateway_bench() as bench:
        client = await bench.client()
        request = client.dispatch("run-1", "Read the report")
        accepted = await client.answer(request)
        assert names(accepted) == names(SHAPES["agent-accepted"])
        assert accepted["payload"]["runId"] == "run-1"
        final = await client.answer(request)
        assert not misfits(final, SHAPES["agent-done"])
        meta = final["payload"]["result"]["meta"]["agentMeta"]
        assert meta["usage"]["total"] == 855 + 62 + 200
        assert meta["costUsd"] == pytest.approx(0.003555)
        waited = await client.payload("agent.wait", {"runId": "run-1", "timeoutMs": 100})
        assert names(waited) == names(SHAPES["wait-done"])


async def test_events_of_a_run_have_the_recorded_shapes() -> None:
    async with gateway_bench() as bench:
        client = await bench.client()
        watcher = await bench.client(scopes=["operator.read"])
        await _run_something(client)
        final = await watcher.event(
            lambda event: event["event"] == "chat" and event["payload"]["state"] == "final"
        )
        assert final["payload"]["message"]["content"][0]["text"] == "Here it is."
        seen = set()
        for event in watcher.events:
            name = event["event"]
            if name in {"connect.challenge", "health"}:
                continue
            known = f"agent {event['payload']['stream']}" if name == "agent" else name
            seen.add(known)
            assert not misfits(event, SHAPES["events"][known])
        assert {"agent lifecycle", "agent assistant", "agent usage", "chat", "task"} <= seen
        numbers = [event["seq"] for event in watcher.events if "seq" in event]
        assert numbers == list(range(1, len(numbers) + 1))


async def test_ticks_come_by_themselves() -> None:
    async with gateway_bench(speed=1_000) as bench:
        client = await bench.client()
        assert not misfits(
            await client.event(lambda event: event["event"] == "tick"), SHAPES["events"]["tick"]
        )


async def test_a_failed_model_ends_the_run_with_an_error() -> None:
    async with gateway_bench(run_plan(error="⚠️ request failed (HTTP 500).")) as bench:
        client = await bench.client()
        final = await _run_something(client)
        assert not final["ok"]
        assert names(final) == names(SHAPES["agent-failed"])
        waited = await client.payload("agent.wait", {"runId": "run-1", "timeoutMs": 100})
        assert (waited["status"], "endedAt" in waited) == ("error", True)


async def test_a_run_limit_ends_the_run() -> None:
    async with gateway_bench(run_plan(1_000)) as bench:
        client = await bench.client()
        request = client.dispatch("run-1", timeout=5)
        await client.answer(request)
        final = await client.answer(request)
        assert not misfits(final, SHAPES["agent-timed-out"])
        assert final["payload"]["status"] == "timeout"
        assert "stopReason" not in final["payload"]
        waited = await client.payload("agent.wait", {"runId": "run-1", "timeoutMs": 100})
        assert not misfits(waited, SHAPES["wait-timed-out"])
        assert "endedAt" in waited
        rows = (await client.payload("tasks.list"))["tasks"]
        assert rows[0]["status"] == "timed_out"
