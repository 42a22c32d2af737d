"""What a run comes to on gateways of up to 2026.7, over the short way of the simulator and over the
whole wire: ledger and session of such a gateway say other things than those of later ones."""

import msgspec
import pytest

from fleet_tui.core.agents.vitals import VitalsReading
from fleet_tui.core.tasks.evidence import (
    Definite,
    Died,
    Fact,
    Finished,
    NotStarted,
    Running,
    Started,
    Stopped,
    Unknown,
)
from fleet_tui.sim.gateway.releases import JULY, JUNE
from fleet_tui.wire.openclaw import attempt, sessions
from fleet_tui.wire.openclaw.transcript import NOT_CONTINUED
from tests.simulation.gateway_places import (
    SPEED,
    GatewayPlace,
    Port,
    VirtualGatewayPlace,
    WiredGatewayPlace,
    line_of,
)
from tests.support.programs import finished, order, settled

PLACES = {"virtual": VirtualGatewayPlace, "wired": WiredGatewayPlace}


@pytest.fixture(
    params=[(name, release) for name in PLACES for release in (JULY, JUNE)],
    ids=lambda param: f"{param[0]}-{param[1].version}",
)
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> GatewayPlace:
    name, release = request.param
    if name == "wired":
        monkeypatch.setattr(attempt, "LOOK_AGAIN_S", attempt.LOOK_AGAIN_S / SPEED)
        monkeypatch.setattr(attempt, "WAIT_MS", round(attempt.WAIT_MS / SPEED))
    found: GatewayPlace = PLACES[name](release)
    return found


def fact(answer: object) -> Fact:
    assert isinstance(answer, Definite), answer
    value: Fact = answer.value
    return value


async def running(place: GatewayPlace, limit_ms: int | None = None) -> Port:
    place.how = "wait"
    port = place.port()
    asked = msgspec.structs.replace(order(), start_to_close_ms=limit_ms)
    assert isinstance(fact(await port.start(asked)), Started)
    assert isinstance(fact(await settled(port, order())), Running)
    return port


def test_a_turn_that_was_cut_off_has_died_although_its_row_says_running(
    place: GatewayPlace,
) -> None:
    async def test() -> None:
        port = await running(place)
        place.kill()
        place.start()
        while not (isinstance(look := await port.probe(), VitalsReading) and look.ready):
            await place.pause(0.5)
        assert fact(await settled(port, order())) == Died(reason=NOT_CONTINUED)
        assert len(place.given()) == 1

    place.run(test)


def test_a_run_limit_is_no_abort(place: GatewayPlace) -> None:
    async def test() -> None:
        port = await running(place, limit_ms=5_000)
        ended = await finished(port, order())
        assert (ended.ok, ended.failure) == (False, "timeout")

    place.run(test)


def test_an_abort_is_no_run_limit(place: GatewayPlace) -> None:
    async def test() -> None:
        port = await running(place)
        for ask in (port.cancel, port.inspect, port.follow):
            assert isinstance(fact(await ask(order())), Stopped)

    place.run(test)


def test_the_end_of_a_run_is_known_before_its_session_says_so(place: GatewayPlace) -> None:
    async def test() -> None:
        asking, looking = place.port(), place.port()
        assert isinstance(fact(await asking.start(order())), Started)
        told = await finished(asking, order())
        seen = fact(await settled(looking, order()))
        assert isinstance(seen, Finished)
        assert (seen.ok, seen.answer) == (told.ok, told.answer)

    place.run(test)


def test_an_empty_session_proves_nothing_and_is_left_alone(place: GatewayPlace) -> None:
    """A start that nobody answered may still come, and would find it."""

    async def test() -> None:
        port = place.port()
        connection = await line_of(port)
        key = sessions.session_key("main", order())
        await connection.call("sessions.create", {"key": key, "agentId": "main"}, timeout_ms=5_000)
        for ask in (port.inspect, port.fence, port.cancel):
            assert isinstance(await ask(order()), Unknown)
        assert isinstance(fact(await port.start(order())), Started | NotStarted)

    place.run(test)
