"""What a gateway's release understands is known before anything is sent that it may refuse."""

import json
from typing import Any

import pytest

from fleet_tui.core.agents.vitals import FailureKind, Limit, ProbeFailure, VitalsReading
from fleet_tui.core.tasks.evidence import (
    Definite,
    Finished,
    LostReason,
    NotStarted,
    Started,
    Unknown,
)
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.wire.openclaw import attempt, dialect
from fleet_tui.wire.openclaw.agents_list import missing
from fleet_tui.wire.openclaw.connection import Lost
from fleet_tui.wire.openclaw.dial import GatewayFailure
from fleet_tui.wire.openclaw.dialect import NEEDED, is_known
from fleet_tui.wire.openclaw.host_vitals import LANES, SYSTEM, parse_system
from fleet_tui.wire.openclaw.port import DEEP_EVERY_MS, parsed
from tests.support.fake_gateway import (
    OLD_KEYS,
    ORDER,
    Clock,
    FakeGateway,
    Refuse,
    Session,
    at_work,
    port_to,
    running,
    silence,
)

LANES_SAID = {"lanes": [{"lane": "main", "activeCount": 1, "queuedCount": 0, "maxConcurrent": 8}]}


def of_july() -> FakeGateway:
    """A gateway that knows what 2026.7.1 knows."""
    gateway = FakeGateway()
    gateway.hello["server"] = {"version": "2026.7.1"}
    gateway.hello["features"] = {"methods": sorted(NEEDED | {SYSTEM})}
    gateway.keys = {method: keys - OLD_KEYS for method, keys in gateway.keys.items()}
    gateway.handlers[SYSTEM] = lambda _: {}
    return gateway


def of_september() -> FakeGateway:
    gateway = FakeGateway()
    gateway.handlers |= {LANES: lambda _: LANES_SAID, SYSTEM: lambda _: {}}
    return gateway


async def reading_of(gateway: FakeGateway) -> VitalsReading:
    async with running(gateway) as dial, port_to(dial) as subject:
        look = await subject.probe()
    assert isinstance(look, VitalsReading), look
    return look


async def test_the_newest_release_has_no_limits() -> None:
    look = await reading_of(of_september())
    assert look.ready
    assert look.limits == ()
    assert look.capacity == 8


async def test_an_older_release_takes_work_and_tells_what_it_cannot_do() -> None:
    look = await reading_of(of_july())
    assert look.ready, look.note
    assert (look.version, look.boot_id, look.capacity) == ("2026.7.1", None, None)
    assert look.limits == (
        Limit.NO_FENCE,
        Limit.NO_LANES,
        Limit.NO_LOG_TRACE,
        Limit.NO_BOOT_ID,
    )
    assert all(limit.text for limit in Limit)


async def test_nothing_is_sent_that_an_older_release_does_not_know() -> None:
    """The fake refuses unknown keys as a real one does, so a start that works sent none."""
    gateway = of_july()
    Session(gateway)
    async with at_work(gateway) as subject:
        started = await subject.start(ORDER)
        assert isinstance(started, Definite), started
        assert isinstance(started.value, Started), started
        outcome = await subject.follow(ORDER)
        await subject.cancel(ORDER)
    assert isinstance(outcome, Definite)
    assert isinstance(outcome.value, Finished)
    assert len(gateway.asked("sessions.abort")) == 2
    for request in gateway.requests:
        assert not (set(request) | set(request["params"])) & OLD_KEYS


async def test_the_questions_are_asked_once_for_a_release() -> None:
    gateway = of_september()
    async with running(gateway) as dial, port_to(dial) as subject:
        await subject.probe()
        asked = gateway.refused
        assert asked == 4
        await gateway.cut()
        await subject.probe()
        assert gateway.refused == asked
        gateway.hello["server"]["version"] = "2026.9.7"
        await gateway.cut()
        await subject.probe()
    assert gateway.refused == 2 * asked


async def test_a_start_that_may_still_arrive_is_left_to_a_person_where_it_cannot_be_fenced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gateway = of_july()
    session = Session(gateway)
    gateway.handlers["agent"] = silence
    monkeypatch.setattr(attempt, "START_MS", 50)
    monkeypatch.setattr(attempt, "ARRIVAL_GRACE_S", 0.0)
    async with at_work(gateway) as subject:
        assert isinstance(await subject.start(ORDER), Unknown)
        for ask in (subject.inspect, subject.fence, subject.inspect):
            word = await ask(ORDER)
            assert isinstance(word, Unknown)
            assert word.reason is LostReason.NO_TRACE
            assert "OpenClaw 2026.7.1 cannot be kept from it" in word.detail.raw
        assert session.exists, "its deletion would look like a proof"
        session.exists = False
        assert await subject.inspect(ORDER) == Definite(NotStarted(reason="fenced", fenced=True))


async def test_a_cost_that_the_answer_does_not_tell_is_read_from_the_transcript() -> None:
    gateway = of_july()
    session = Session(gateway)
    usage = {"input": 800, "output": 50}
    session.final = {"status": "ok", "result": {"meta": {"agentMeta": {"usage": usage}}}}
    told: dict[str, Any] = {"role": "assistant", "content": "x", "usage": {**usage}}
    told["usage"]["cost"] = {"total": 0.00321}
    session.info, session.messages = {"status": "done"}, [told]
    async with at_work(gateway) as subject:
        await subject.start(ORDER)
        outcome = await subject.follow(ORDER)
    assert isinstance(outcome, Definite)
    assert isinstance(outcome.value, Finished)
    assert outcome.value.usage.cost_microusd == 3_210


@pytest.mark.parametrize("result", ["x", {"payloads": "x"}])
async def test_an_answer_that_cannot_be_read_is_read_from_the_transcript(result: object) -> None:
    gateway = of_september()
    session = Session(gateway)
    session.final = {"status": "ok", "result": result}
    usage = {"input": 800, "output": 50, "cost": {"total": 0.00321}}
    told: dict[str, Any] = {"role": "assistant", "content": "the answer", "usage": usage}
    session.info, session.messages = {"status": "done"}, [told]
    async with at_work(gateway) as subject:
        await subject.start(ORDER)
        outcome = await subject.follow(ORDER)
    assert isinstance(outcome, Definite)
    assert isinstance(outcome.value, Finished)
    assert outcome.value.answer.text.raw == "the answer"
    assert outcome.value.usage.cost_microusd == 3_210


# --- releases that cannot be worked with -------------------------------------------------------


async def failure_of(gateway: FakeGateway) -> ProbeFailure:
    async with running(gateway) as dial, port_to(dial) as subject:
        look = await subject.probe()
    assert isinstance(look, ProbeFailure), look
    return look


async def test_a_release_without_what_work_needs_says_so_and_gets_none() -> None:
    gateway = of_september()
    gateway.hello["server"]["version"] = "2025.1.1"
    gateway.hello["features"] = {"methods": sorted(NEEDED - {"tasks.list", "agent.wait"})}
    failure = await failure_of(gateway)
    assert failure.kind is FailureKind.RELEASE_UNSUPPORTED
    assert failure.detail.raw == "OpenClaw 2025.1.1 has no agent.wait, tasks.list"
    assert failure.kind.is_permanent


async def test_an_agent_that_the_gateway_does_not_have_gets_no_work() -> None:
    gateway = of_september()
    gateway.hello["features"]["methods"].append("agents.list")
    gateway.handlers["agents.list"] = lambda _: {"agents": [{"id": "coder"}, {"id": "Main"}]}
    clock = Clock()
    async with running(gateway) as dial, port_to(dial, clock=clock) as subject:
        assert isinstance(await subject.probe(), VitalsReading), "ids are the same in any case"
        await subject.probe()
        assert len(gateway.asked("agents.list")) == 1, "not asked with every look"
        gateway.handlers["agents.list"] = lambda _: {"agents": [{"id": "coder"}]}
        clock.now_ms += DEEP_EVERY_MS
        look = await subject.probe()
        assert isinstance(look, ProbeFailure), "it was deleted while the engine is connected"
        assert look.kind is FailureKind.AGENT_MISSING
        assert look.detail.raw == "the gateway has no agent 'main'; it has coder"
        gateway.handlers["agents.list"] = lambda _: {"agents": [{"id": "main"}]}
        clock.now_ms += DEEP_EVERY_MS
        assert isinstance(await subject.probe(), VitalsReading), "and is back"
        assert len(gateway.asked("connect")) == 1


async def test_an_agents_list_that_cannot_be_read_speaks_against_nobody() -> None:
    answers: list[dict[str, Any]] = [{"agents": "none"}, {"agents": []}, {}]
    for said in answers:
        assert missing(json.dumps(said).encode(), "main") is None


async def test_an_objection_in_other_words_is_no_permission() -> None:
    gateway = of_september()
    gateway.objects_with = "nein"
    failure = await failure_of(gateway)
    assert failure.kind is FailureKind.RELEASE_UNSUPPORTED
    assert "answered sessions.create with: nein" in failure.detail.raw


async def test_a_gateway_that_takes_what_means_nothing_is_not_believed() -> None:
    gateway = of_september()
    gateway.objects_with = None
    gateway.handlers["sessions.create"] = lambda _: {}
    async with running(gateway) as dial, port_to(dial) as subject:
        look = await subject.probe()
    assert isinstance(look, VitalsReading)
    assert not look.ready
    assert look.note == ("it calls itself ready, but requests fail: its answer is not valid")
    assert look.said.raw == "it took a sessions.create request that means nothing"


async def test_a_gateway_that_drains_is_asked_again_later() -> None:
    gateway = of_september()

    def draining(_params: dict[str, Any]) -> None:
        raise Refuse("UNAVAILABLE", details={"reason": "gateway-suspending"})

    gateway.objects_with = None
    for method in NEEDED:
        gateway.handlers[method] = draining
    async with running(gateway) as dial, port_to(dial) as subject:
        look = await subject.probe()
    assert isinstance(look, VitalsReading)
    assert not look.ready
    # As its readiness would: who looks meanwhile reads one word.
    assert (look.draining, look.note) == (True, "draining")


@pytest.mark.parametrize(
    ("question", "objection", "known"),
    [
        (dialect.DISPLAY_NAME, "at /key: must be string; at /displayName: must be string", True),
        (dialect.DISPLAY_NAME, "at root: unexpected property 'displayName'", False),
        (dialect.DISPLAY_NAME, "at /key: must be string", None),
        (dialect.TRACED, "invalid agent.wait params: at /runId: must be string", True),
        (
            dialect.TRACED,
            "invalid request frame: at root: unexpected property 'traceparent'",
            False,
        ),
        (dialect.TRACED, "", None),
    ],
)
def test_what_an_objection_tells(
    question: dialect.Question, objection: str, known: bool | None
) -> None:
    assert is_known(question, objection) is known


async def test_a_gateway_is_not_ready_before_it_has_told_what_it_understands() -> None:
    gateway = of_september()
    gateway.handlers[SYSTEM] = silence
    async with running(gateway) as dial, port_to(dial, timeout_ms=200) as subject:
        look = await subject.probe()
    assert isinstance(look, VitalsReading)
    assert not look.ready
    assert look.note == "it calls itself ready, but requests are not answered yet"


@pytest.mark.parametrize(("method", "limit"), [(LANES, Limit.NO_LANES), (SYSTEM, Limit.NO_MACHINE)])
async def test_a_method_that_the_gateway_does_not_know_after_all_is_not_asked_again(
    method: str, limit: Limit
) -> None:
    gateway = of_september()

    def refuse(_params: dict[str, Any]) -> None:
        raise Refuse("INVALID_REQUEST", message=f"unknown method: {method}")

    gateway.handlers[method] = refuse
    clock = Clock()
    async with running(gateway) as dial, port_to(dial, clock=clock) as subject:
        for _ in range(2):
            look = await subject.probe()
            assert isinstance(look, VitalsReading)
            assert look.ready
            assert look.limits == (limit,)
            clock.now_ms += DEEP_EVERY_MS
    assert len(gateway.asked(method)) == 1, "it is not asked again and again"


@pytest.mark.parametrize("method", [LANES, SYSTEM])
@pytest.mark.parametrize(
    "answer",
    [
        {"lanes": 7, "disks": 7},
        Refuse("INTERNAL_ERROR"),
        Refuse("INVALID_REQUEST", message="not now"),
        Refuse("UNAVAILABLE", details={"code": "STALE_INSTALL"}),
    ],
)
async def test_vitals_that_are_not_told_once_keep_nobody_from_working_and_are_asked_again(
    method: str, answer: Any
) -> None:
    gateway = of_september()
    gateway.handlers[LANES] = lambda _: {"lanes": [{"lane": "main", "activeCount": 3}]}
    gateway.handlers[SYSTEM] = lambda _: {"diskAvailableBytes": 3}
    told = gateway.handlers[method]

    def once(params: dict[str, Any]) -> Any:
        if len(gateway.asked(method)) > 1:
            return told(params)
        if isinstance(answer, Refuse):
            raise answer
        return answer

    gateway.handlers[method] = once
    clock = Clock()
    async with running(gateway) as dial, port_to(dial, clock=clock) as subject:
        probes = [await subject.probe()]
        clock.now_ms += DEEP_EVERY_MS
        probes.append(await subject.probe())
    first, second = [look for look in probes if isinstance(look, VitalsReading)]
    assert (first.ready, first.limits, second.limits) == (True, (), ())
    absent = first.active if method == LANES else first.disk_free_bytes
    assert absent is None
    assert (second.active, second.disk_free_bytes) == (3, 3)


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        (LostReason.TIMEOUT, FailureKind.GATEWAY_HUNG),
        (LostReason.HUNG, FailureKind.GATEWAY_HUNG),
        (LostReason.BAD_ANSWER, FailureKind.BAD_ANSWER),
        (LostReason.CONNECTION_LOST, FailureKind.GATEWAY_DOWN),
    ],
)
def test_what_a_question_without_an_answer_says_of_its_gateway(
    reason: LostReason, kind: FailureKind
) -> None:
    found = parsed(Lost(reason, Untrusted("so")), parse_system)
    assert found == GatewayFailure(kind=kind, detail=Untrusted("so"))
