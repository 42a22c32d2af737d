"""What the simulated gateway does with work, and with being killed, drained, frozen and slowed."""

import asyncio
import json
import random
from typing import Any

import pytest

from fleet_tui.core.agents.health import LAG_DEGRADED_MS
from fleet_tui.sim.demo.behaviour import SONNET
from fleet_tui.sim.demo.world import Host, Pace
from fleet_tui.sim.gateway.gateway import Gateway
from fleet_tui.sim.gateway.process import GatewaySpec
from fleet_tui.sim.gateway.run_table import RunRequest
from tests.simulation.gateway_client import (
    SHAPES,
    Bench,
    Client,
    always,
    gateway_bench,
    misfits,
    names,
    run_plan,
)
from tests.simulation.trace import JumpingLoop

FOREVER = run_plan(100_000)


def key(task: str = "t-1") -> str:
    return f"agent:main:fleet:{task}"


async def accepted(client: Client, run_id: str, **extra: Any) -> str:
    request = client.dispatch(run_id, **extra)
    answer = await client.answer(request)
    assert answer["payload"]["status"] == "accepted", answer
    return request


async def working(client: Client, run_id: str) -> None:
    """Wait until the run has left the lane."""
    await client.event(
        lambda event: (
            event["event"] == "agent"
            and event["payload"]["runId"] == run_id
            and event["payload"]["data"].get("phase") == "start"
        )
    )


async def row(client: Client, run_id: str) -> dict[str, Any]:
    rows = (await client.payload("tasks.list"))["tasks"]
    found: dict[str, Any] = next(row for row in rows if row["runId"] == run_id)
    return found


async def ready(bench: Bench) -> None:
    while not bench.gateway.is_ready:
        await asyncio.sleep(0.005)


async def test_the_same_key_is_the_same_run_while_it_is_remembered() -> None:
    async with gateway_bench(run_plan(40)) as bench:
        client = await bench.client()
        first = await accepted(client, "run-1")
        second = client.dispatch("run-1")
        in_flight = await client.answer(second)
        assert names(in_flight) == names(SHAPES["agent-in-flight"])
        assert in_flight["payload"]["status"] == "in_flight"
        final = await client.answer(first)
        assert (await client.answer(second))["payload"] == final["payload"]
        third = client.dispatch("run-1")
        assert (await client.answer(third))["payload"] == final["payload"]


async def test_a_finished_run_is_forgotten_after_a_while() -> None:
    async with gateway_bench(run_plan(1), speed=5_000) as bench:
        client = await bench.client()
        await client.answer(await accepted(client, "run-1"))
        while True:
            waited = await client.payload("agent.wait", {"runId": "run-1", "timeoutMs": 50_000})
            if waited["status"] == "timeout":
                break
        await accepted(client, "run-1")


async def test_the_lane_has_so_many_places() -> None:
    async with gateway_bench(FOREVER, max_concurrent=2) as bench:
        client = await bench.client()
        for number in range(5):
            await accepted(client, f"run-{number}", task=f"t-{number}")
        lanes = (await client.payload("diagnostics.lanes"))["lanes"]
        main = next(lane for lane in lanes if lane["lane"] == "main")
        assert (main["activeCount"], main["queuedCount"], main["blockedBy"]) == (2, 3, "lane")
        assert (await client.payload("status"))["tasks"]["byStatus"]["running"] == 5
        await client.payload("sessions.abort", {"runId": "run-0"})
        await client.payload("sessions.abort", {"runId": "run-4"})
        lanes = (await client.payload("diagnostics.lanes"))["lanes"]
        main = next(lane for lane in lanes if lane["lane"] == "main")
        assert (main["activeCount"], main["queuedCount"]) == (2, 1)


async def test_abort_ends_a_run_with_the_misleading_words_of_the_real_one() -> None:
    async with gateway_bench(FOREVER) as bench:
        client = await bench.client()
        request = await accepted(client, "run-1")
        await working(client, "run-1")
        aborted = await client.payload("sessions.abort", {"runId": "run-1"})
        assert names(aborted) == names(SHAPES["sessions.abort"])
        assert aborted["abortedRunId"] == "run-1"
        final = await client.answer(request)
        assert names(final) == names(SHAPES["agent-cancelled"])
        assert final["payload"]["stopReason"] == "rpc"
        waited = await client.payload("agent.wait", {"runId": "run-1"})
        assert names(waited) == names(SHAPES["wait-cancelled"])
        assert (await row(client, "run-1"))["status"] == "cancelled"
        session = (await client.payload("sessions.describe", {"key": key()}))["session"]
        assert session["status"] == "killed"
        again = await client.payload("sessions.abort", {"key": key(), "clearQueued": True})
        assert again["status"] == "no-active-run"


async def test_waiting_for_an_unknown_run_says_the_same_as_for_a_working_one() -> None:
    async with gateway_bench(FOREVER) as bench:
        client = await bench.client()
        await accepted(client, "run-1")
        works = await client.payload("agent.wait", {"runId": "run-1", "timeoutMs": 10})
        unknown = await client.payload("agent.wait", {"runId": "nope", "timeoutMs": 10})
        assert names(unknown) == names(SHAPES["wait-unknown"])
        assert works == unknown | {"runId": "run-1"}


async def test_a_lost_connection_does_not_stop_a_run() -> None:
    async with gateway_bench(run_plan(20)) as bench:
        client = await bench.client()
        await accepted(client, "run-1")
        await client.close()
        other = await bench.client()
        waited = await other.payload("agent.wait", {"runId": "run-1", "timeoutMs": 600_000})
        assert waited["terminalReply"]["text"] == "Here it is."
        history = await other.payload("chat.history", {"sessionKey": key(), "limit": 20})
        asked, told = history["messages"]
        assert not misfits(asked, SHAPES["chat.history"]["messages"]["user"])
        assert not misfits(told, SHAPES["chat.history"]["messages"]["assistant"])
        assert told["__openclaw"]["runId"] == "run-1"
        assert told["usage"]["cost"]["total"] == pytest.approx(0.003555)
        rest = {name: value for name, value in history.items() if name != "messages"}
        assert not misfits(rest, SHAPES["chat.history"])
        listed = await other.payload("sessions.list", {"limit": 5})
        assert not misfits(listed, SHAPES["sessions.list"])
        assert listed["sessions"][0]["status"] == "done"


async def test_sessions_are_found_by_a_part_of_their_keys_and_told_page_by_page() -> None:
    async with gateway_bench() as bench:
        client = await bench.client()
        for task in ("one", "two", "three"):
            await client.payload("sessions.create", {"key": key(task)})
        await client.payload("sessions.create", {"key": "agent:main:main"})
        asked = {"agentId": "main", "search": "agent:main:FLEET:", "limit": 2}
        first = await client.payload("sessions.list", {**asked, "offset": 0})
        last = await client.payload("sessions.list", {**asked, "offset": 2})
        told = [row["key"] for page in (first, last) for row in page["sessions"]]
        assert sorted(told) == sorted(key(task) for task in ("one", "two", "three"))
        assert (first["nextOffset"], first["hasMore"], first["totalCount"]) == (2, True, 3)
        assert (last["nextOffset"], last["hasMore"]) == (None, False)
        other = await client.payload("sessions.list", {"agentId": "other"})
        assert other["sessions"] == []


async def test_a_second_message_is_steered_into_the_running_turn() -> None:
    async with gateway_bench(run_plan(20)) as bench:
        client = await bench.client()
        first, second = await accepted(client, "run-1"), await accepted(client, "run-2")
        assert (await client.answer(first))["payload"]["status"] == "ok"
        assert (await client.answer(second))["payload"]["status"] == "ok"
        first, second = await accepted(client, "run-3"), await accepted(client, "run-4")
        await client.payload("sessions.abort", {"runId": "run-4"})
        assert (await client.answer(first))["payload"]["stopReason"] == "rpc"
        assert (await client.answer(second))["payload"]["stopReason"] == "rpc"


async def test_after_a_crash_the_turn_goes_on_under_another_run_id() -> None:
    async with gateway_bench(run_plan(40)) as bench:
        client = await bench.client()
        request = await accepted(client, "run-1")
        await working(client, "run-1")
        before = bench.gateway.process.boot_id
        bench.gateway.kill()
        assert (await client.answer(request))["error"]["code"] == "CLOSED"
        assert client.close_code is None
        bench.gateway.start(boot_s=1)
        await ready(bench)
        assert bench.gateway.process.boot_id != before
        again = await bench.client()
        old = await row(again, "run-1")
        assert (old["status"], old["error"]) == (
            "cancelled",
            "Task execution process exited before restart.",
        )
        forgotten = await again.payload("agent.wait", {"runId": "run-1", "timeoutMs": 10})
        assert forgotten == {"runId": "run-1", "status": "timeout"}
        resumed = await again.event(lambda event: event["event"] == "task")
        task = resumed["payload"]["task"]
        assert task["sessionKey"] == key()
        assert task["runId"] != "run-1"
        assert task["title"].startswith("[System]")
        await again.payload("agent.wait", {"runId": task["runId"], "timeoutMs": 900_000})
        history = await again.payload("chat.history", {"sessionKey": key()})
        assert [message["role"] for message in history["messages"]] == ["user", "assistant"]
        assert history["messages"][1]["__openclaw"]["runId"] == task["runId"]
        listed = await again.payload("tasks.list", {"sessionKey": key()})
        assert not misfits(listed, SHAPES["tasks.list"])


async def test_a_deleted_session_is_not_continued() -> None:
    async with gateway_bench(FOREVER) as bench:
        client = await bench.client()
        for task in ("t-1", "t-2"):
            await accepted(client, f"run-{task}", task=task)
            await working(client, f"run-{task}")
        bench.gateway.restart(boot_s=1)
        await ready(bench)
        again = await bench.client()
        assert (await again.payload("sessions.delete", {"key": key("t-1")}))["deleted"]
        await again.event(
            lambda event: (
                event["event"] == "task" and event["payload"]["task"]["sessionKey"] == key("t-2")
            )
        )
        active = await again.payload("sessions.list", {"activeOnly": True})
        assert [session["key"] for session in active["sessions"]] == [key("t-2")]
        assert (await again.payload("sessions.describe", {"key": key("t-1")}))["session"] is None
        absent = await again.payload("chat.history", {"sessionKey": key("t-1")})
        assert "sessionId" not in absent


async def test_after_a_restart_the_same_key_runs_again() -> None:
    async with gateway_bench(run_plan(1)) as bench:
        client = await bench.client()
        await client.answer(await accepted(client, "run-1"))
        bench.gateway.restart(boot_s=1)
        await ready(bench)
        again = await bench.client()
        await accepted(again, "run-1")


async def test_a_run_of_a_session_that_is_gone_is_refused_for_ever() -> None:
    async with gateway_bench(FOREVER) as bench:
        client = await bench.client()
        made = await client.payload("sessions.create", {"key": key(), "agentId": "main"})
        untouched = await client.payload("chat.history", {"sessionKey": key()})
        assert untouched["sessionId"] == made["sessionId"]
        assert "status" not in untouched["sessionInfo"]
        await client.payload("sessions.delete", {"key": key()})
        expected = {"expectedExistingSessionId": made["sessionId"]}
        late = await client.answer(client.dispatch("run-1", **expected))
        assert not late["ok"]
        made = await client.payload("sessions.create", {"key": key(), "agentId": "main"})
        await accepted(client, "run-1", expectedExistingSessionId=made["sessionId"])


async def test_draining_refuses_new_work_and_lets_old_work_end() -> None:
    async with gateway_bench(run_plan(20)) as bench:
        client = await bench.client()
        request = await accepted(client, "run-1")
        busy = await client.payload("gateway.suspend.prepare", {"requestId": "d"})
        assert busy["status"] == "busy"
        ask = {"requestId": "d", "drain": True, "terminalPolicy": "terminate"}
        draining = await client.payload("gateway.suspend.prepare", ask)
        assert draining["status"] == "draining"
        assert not misfits(draining, SHAPES["gateway.suspend.prepare"])
        refused = await client.answer(client.dispatch("run-2", task="t-2"))
        assert names(refused) == names(SHAPES["agent-while-draining"])
        status, body = await bench.get("/readyz")
        assert (status, body["failing"]) == (503, ["gateway-draining"])
        assert (await client.answer(request))["payload"]["status"] == "ok"
        suspension = {"suspensionId": draining["suspensionId"]}
        told = await client.payload("gateway.suspend.status", suspension)
        assert told["status"] == "ready"
        assert (await client.call("status"))["error"]["details"]["phase"] == "prepared"
        assert (await bench.get("/healthz"))[0] == 200
        assert (await bench.get("/startupz"))[1]["status"] == "draining"
        resumed = await client.payload("gateway.suspend.resume", suspension)
        assert resumed == {"ok": True, "status": "running", "resumed": True}
        await accepted(client, "run-3", task="t-3")


async def test_a_drain_ends_by_itself() -> None:
    async with gateway_bench(speed=2_000) as bench:
        client = await bench.client()
        await client.payload("gateway.suspend.prepare", {"requestId": "d", "drain": True})
        while (await bench.get("/readyz"))[0] != 200:
            pass
        await accepted(client, "run-1")


async def test_a_restart_waits_for_work_and_says_goodbye() -> None:
    async with gateway_bench(run_plan(20)) as bench:
        client = await bench.client()
        pid, boot_id = bench.gateway.process.pid, bench.gateway.process.boot_id
        request = await accepted(client, "run-1")
        scheduled = await client.payload("gateway.restart.request")
        assert not scheduled["preflight"]["safe"]
        assert (await client.answer(request))["payload"]["status"] == "ok"
        shutdown = await client.event(lambda event: event["event"] == "shutdown")
        assert not misfits(shutdown, SHAPES["events"]["shutdown"])
        await client.ended()
        assert client.close_code == 1012
        while bench.gateway.process.boot_id == boot_id:
            await asyncio.sleep(0.005)
        await ready(bench)
        assert bench.gateway.process.pid == pid


async def test_a_frozen_gateway_takes_connections_and_says_nothing_until_it_thaws() -> None:
    async with gateway_bench(run_plan(10)) as bench:
        client = await bench.client()
        bench.gateway.pause()
        question = client.send("health", {})
        probe = asyncio.create_task(bench.get("/readyz"))
        done, _ = await asyncio.wait({probe}, timeout=0.1)
        assert not done
        assert bench.gateway.is_listening
        bench.gateway.resume()
        assert (await probe)[0] == 200
        assert (await client.answer(question))["ok"]


def test_a_slow_gateway_takes_longer_and_feels_it() -> None:
    async def run_for_s(slowness: float) -> float:
        loop = asyncio.get_running_loop()
        gateway = Gateway(
            GatewaySpec(name="agent-01", port=1, token="x", model=SONNET),
            host=Host("host-1", seed=1),
            pace=Pace(lambda: 0),
            rng=random.Random(1),
            plan=always(run_plan(5)),
        )
        gateway.start(boot_s=0)
        gateway.slowness = slowness
        feels = gateway.process.event_loop()
        assert feels["degraded"] is (slowness > 1)
        lag_ms = feels["delayP99Ms"]
        assert isinstance(lag_ms, float)
        assert (lag_ms >= LAG_DEGRADED_MS) is (slowness > 1)
        began_s = loop.time()
        run = gateway.process.runs.accept(
            RunRequest(run_id="r", session_key="s", message="m", title="m")
        )
        await run.over.wait()
        spent_s = loop.time() - began_s
        await gateway.close()
        return spent_s

    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        assert runner.run(run_for_s(1.0)) == pytest.approx(5)
        assert runner.run(run_for_s(4.0)) == pytest.approx(20)


async def test_log_lines_of_a_run_carry_its_trace_and_the_cursor_moves_on() -> None:
    async with gateway_bench(run_plan(2)) as bench:
        client = await bench.client()
        start = await client.payload("logs.tail")
        cursor = start["cursor"]
        await client.answer(await accepted(client, "run-1"))
        tail = await client.payload("logs.tail", {"cursor": cursor})
        lines = [_decode(line) for line in tail["lines"]]
        assert [line["message"] for line in lines][-2:] == [
            "Here it is.",
            "[agent] run run-1 ended with stopReason=stop",
        ]
        assert {line["traceId"] for line in lines} == {"ab" * 16}
        assert all(not misfits(line, SHAPES["log-line"]) for line in lines)
        quiet = await client.payload("logs.tail", {"cursor": tail["cursor"]})
        assert (quiet["lines"], quiet["reset"], quiet["cursor"]) == ([], False, tail["cursor"])
        cut = await client.payload("logs.tail", {"cursor": 0, "limit": 3, "maxBytes": 900})
        assert (cut["reset"], cut["skippedBytes"]) == (True, cut["size"] - 900)
        beyond = await client.payload("logs.tail", {"cursor": tail["size"] + 1})
        assert (beyond["reset"], len(beyond["lines"])) == (True, len(start["lines"]) + len(lines))


def _decode(line: str) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(line)
    return decoded
