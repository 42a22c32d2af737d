"""What the port of a gateway promises, over the simulator's short way and over the whole wire: the
simulated worlds are worth as much as they are like the real thing. The same is tried on real
gateways in ``wire/test_openclaw_real.py``."""

import json

import pytest

from fleet_tui.core.agents.vitals import FailureKind, ProbeFailure, VitalsReading
from fleet_tui.core.tasks.evidence import (
    Definite,
    Fact,
    Finished,
    LostReason,
    NotStarted,
    Running,
    Started,
    Stopped,
    Unknown,
)
from fleet_tui.wire.openclaw import attempt, sessions
from fleet_tui.wire.openclaw.connection import GatewayRefused, GatewayResult
from fleet_tui.wire.port import Inspection, StartAnswer
from tests.simulation.gateway_places import (
    SPEED,
    GatewayPlace,
    Port,
    VirtualGatewayPlace,
    WiredGatewayPlace,
    line_of,
)
from tests.simulation.places import digest
from tests.support.programs import finished, order, settled

AWKWARD = "naïve 🦞 \u202e $(id) `id` \\ %s\n\n\ttab\r\n#end"


@pytest.fixture(params=["virtual", "wired"])
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> GatewayPlace:
    if request.param == "virtual":
        return VirtualGatewayPlace()
    monkeypatch.setattr(attempt, "LOOK_AGAIN_S", attempt.LOOK_AGAIN_S / SPEED)
    monkeypatch.setattr(attempt, "WAIT_MS", round(attempt.WAIT_MS / SPEED))
    return WiredGatewayPlace()


def fact(answer: StartAnswer | Inspection) -> Fact:
    assert isinstance(answer, Definite), answer
    return answer.value


async def running(place: GatewayPlace) -> Port:
    """A port, and a turn that takes long."""
    place.how = "wait"
    port = place.port()
    assert isinstance(fact(await port.start(order(AWKWARD))), Started)
    assert isinstance(fact(await settled(port, order(AWKWARD))), Running)
    return port


async def ready(place: GatewayPlace, port: Port) -> None:
    while not (isinstance(look := await port.probe(), VitalsReading) and look.ready):
        await place.pause(0.5)


async def crashed(place: GatewayPlace) -> Port:
    """A turn that was interrupted by the death of its gateway, and another process there."""
    port = await running(place)
    place.kill()
    place.start()
    await ready(place, port)
    return port


def test_a_turn_is_given_its_text_and_its_answer_comes_back(place: GatewayPlace) -> None:
    async def test() -> None:
        port = place.port()
        started = fact(await port.start(order(AWKWARD)))
        assert isinstance(started, Started)
        assert not started.already
        assert started.boot_id
        ended = await finished(port, order(AWKWARD))
        assert ended.ok
        assert ended.answer.text.raw == "out\n"
        assert place.given() == [digest(AWKWARD)]
        for asked in (port.inspect, port.follow, port.cancel, port.fence):
            assert isinstance(fact(await asked(order(AWKWARD))), Finished)

    place.run(test)


def test_a_second_start_finds_the_first(place: GatewayPlace) -> None:
    async def test() -> None:
        port = await running(place)
        again = fact(await port.start(order(AWKWARD)))
        assert isinstance(again, Started)
        assert again.already
        assert len(place.given()) == 1

    place.run(test)


def test_another_engine_finds_the_run_again(place: GatewayPlace) -> None:
    async def test() -> None:
        await running(place)
        port = place.port()
        assert isinstance(fact(await port.inspect(order(AWKWARD))), Running)
        assert (await finished(port, order(AWKWARD))).answer.text.raw == "out\n"
        assert len(place.given()) == 1

    place.run(test)


@pytest.mark.parametrize("verb", ["cancel", "fence"])
def test_a_run_is_stopped(place: GatewayPlace, verb: str) -> None:
    async def test() -> None:
        port = await running(place)
        stop = port.cancel if verb == "cancel" else port.fence
        for asked in (stop, port.inspect, port.follow, stop):
            assert isinstance(fact(await asked(order(AWKWARD))), Stopped)

    place.run(test)


def test_a_failure_is_an_end_with_a_word(place: GatewayPlace) -> None:
    async def test() -> None:
        place.how = "fail"
        port = place.port()
        await port.start(order())
        ended = await finished(port, order())
        assert not ended.ok
        assert ended.failure == "model-error"

    place.run(test)


@pytest.mark.parametrize("verb", ["inspect", "fence"])
def test_a_start_that_comes_late_is_refused_after_the_fence(place: GatewayPlace, verb: str) -> None:
    async def test() -> None:
        port = place.port()
        key = sessions.session_key("main", order())
        line = await line_of(port)
        made = await line.call("sessions.create", {"key": key}, timeout_ms=5_000)
        assert isinstance(made, GatewayResult)
        session_id = json.loads(bytes(made.payload))["sessionId"]
        asked = port.inspect if verb == "inspect" else port.fence
        found = fact(await asked(order()))
        assert isinstance(found, NotStarted)
        assert found.fenced
        late = {
            "message": "do it",
            "sessionKey": key,
            "idempotencyKey": order().run_id,
            "expectedExistingSessionId": session_id,
        }
        assert isinstance(await line.call("agent", late, timeout_ms=5_000), GatewayRefused)
        assert place.given() == []

    place.run(test)


def test_a_gateway_goes_on_by_itself_with_what_its_death_interrupted(place: GatewayPlace) -> None:
    async def test() -> None:
        port = await crashed(place)
        found = fact(await settled(port, order(AWKWARD)))
        assert isinstance(found, Running)
        assert found.resumed_by_agent
        assert (await finished(port, order(AWKWARD))).answer.text.raw == "out\n"
        assert place.given() == [digest(AWKWARD)] * 2

    place.run(test)


def test_a_fence_keeps_a_gateway_from_going_on(place: GatewayPlace) -> None:
    async def test() -> None:
        port = await crashed(place)
        assert isinstance(fact(await port.fence(order(AWKWARD))), Stopped)
        await place.pause(30.0)
        assert isinstance(fact(await port.inspect(order(AWKWARD))), Stopped)
        assert place.given() == [digest(AWKWARD)]

    place.run(test)


def test_a_connection_that_ends_says_nothing_about_the_run(place: GatewayPlace) -> None:
    async def test() -> None:
        port = await running(place)
        place.kill()
        for asked in (port.follow, port.inspect):
            answer = await asked(order(AWKWARD))
            assert isinstance(answer, Unknown)
            assert answer.reason in (LostReason.CONNECTION_LOST, LostReason.UNREACHABLE)

    place.run(test)


def test_a_gateway_that_is_gone_starts_nothing(place: GatewayPlace) -> None:
    async def test() -> None:
        place.kill()
        port = place.port()
        look = await port.probe()
        assert isinstance(look, ProbeFailure)
        assert look.kind is FailureKind.GATEWAY_DOWN
        assert isinstance(fact(await port.start(order())), NotStarted)
        for asked in (port.inspect, port.cancel, port.fence, port.follow):
            answer = await asked(order())
            assert isinstance(answer, Unknown)
            assert answer.reason is LostReason.UNREACHABLE

    place.run(test)


def test_another_process_has_another_name(place: GatewayPlace) -> None:
    async def test() -> None:
        port = place.port()
        before = await port.probe()
        place.kill()
        place.start()
        await ready(place, port)
        after = await port.probe()
        assert isinstance(before, VitalsReading)
        assert isinstance(after, VitalsReading)
        assert before.boot_id
        assert after.boot_id
        assert before.boot_id != after.boot_id

    place.run(test)
