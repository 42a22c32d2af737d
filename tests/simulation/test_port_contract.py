"""What every port promises, on a simulated host and over a real sshd: the simulator's host is worth
as much as it is like the real one."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet_tui.core.agents.vitals import FailureKind, ProbeFailure, VitalsReading
from fleet_tui.core.tasks.evidence import (
    Definite,
    Died,
    Fact,
    Finished,
    LostReason,
    NotStarted,
    Running,
    Started,
    Stopped,
    Unknown,
)
from fleet_tui.wire.port import Inspection, StartAnswer
from fleet_tui.wire.programs.command import CommandPort
from fleet_tui.wire.programs.wrapper import MAX_PAYLOAD_BYTES
from tests.simulation.places import (
    FAKED,
    OF_ALL,
    Harm,
    Place,
    RealPlace,
    SimulatedPlace,
    digest,
)
from tests.support.programs import finished, order, settled, until
from tests.support.sshd import make_sshd

AWKWARD = 'it\'s "quoted" $(touch /tmp/no) `id` \\ %s !! \n\n\ttab ~ é 🦞 #end\n* ? [x]\r\n'


@pytest.fixture(params=["simulated", pytest.param("real", marks=pytest.mark.sshd)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "simulated":
        yield SimulatedPlace()
        return
    server = make_sshd(tmp_path / "sshd", env=f"PATH={tmp_path / FAKED}:{os.environ['PATH']}")
    real = RealPlace(server, tmp_path)
    yield real
    real.let_go()  # nothing may wait for ever, also after a failure
    server.stop()


def fact(answer: StartAnswer | Inspection) -> Fact:
    assert isinstance(answer, Definite), answer
    return answer.value


def not_started(answer: StartAnswer | Inspection) -> str:
    found = fact(answer)
    assert isinstance(found, NotStarted), found
    return found.reason


def lost(answer: StartAnswer | Inspection) -> LostReason:
    assert isinstance(answer, Unknown), answer
    return answer.reason


async def known(place: Place, epoch: int = 1) -> CommandPort:
    """A port whose engine the host has seen."""
    port = place.port(epoch)
    assert isinstance(await port.probe(), VitalsReading)
    return port


async def running(place: Place, epoch: int = 1) -> CommandPort:
    """A port, and a run whose program has begun, and waits."""
    place.behave("wait")
    port = await known(place, epoch)
    assert isinstance(fact(await port.start(order())), Started)
    assert isinstance(fact(await settled(port, order())), Running)
    await until(lambda: place.given() != [])
    return port


def test_a_run_gets_its_payload_byte_for_byte_and_its_answer_comes_back(place: Place) -> None:
    async def test() -> None:
        port = await known(place)
        started = fact(await port.start(order(AWKWARD)))
        assert isinstance(started, Started)
        assert not started.already
        assert started.boot_id
        ended = await finished(port, order(AWKWARD))
        assert ended.ok
        assert ended.answer.text.raw == "out\n"
        assert place.given() == [digest(AWKWARD)]

    place.run(test)


def test_a_place_without_hard_links_is_found_out_and_works_once_it_has_them(place: Place) -> None:
    async def test() -> None:
        port = await known(place)
        place.forbid_links(True)
        assert not_started(await port.start(order())) == "no-hard-links"
        found = await port.probe()
        assert isinstance(found, ProbeFailure)
        assert found.kind is FailureKind.CANNOT_WORK
        assert found.cause == "its run_dir has no hard links"
        assert lost(await port.inspect(order(attempt=2))) is LostReason.BAD_ANSWER
        place.forbid_links(False)
        place.break_connections()  # a new connection is a reason to try again
        while not isinstance(await port.probe(), VitalsReading):
            pass
        assert not_started(await port.start(order(attempt=2))) == "fenced"
        assert isinstance(fact(await port.start(order(attempt=3))), Started)
        await finished(port, order(attempt=3))
        assert len(place.given()) == 1

    place.run(test)


def test_a_second_start_finds_the_first(place: Place) -> None:
    async def test() -> None:
        port = await known(place)
        await port.start(order())
        await finished(port, order())
        again = fact(await port.start(order()))
        assert isinstance(again, Started)
        assert again.already
        assert len(place.given()) == 1

    place.run(test)


def test_starts_at_the_same_moment_run_once(place: Place) -> None:
    async def test() -> None:
        port = await known(place)
        answers = await asyncio.gather(*(port.start(order()) for _ in range(4)))
        assert all(isinstance(answer, Definite) for answer in answers)
        await settled(port, order())
        assert len(place.given()) <= 1

    place.run(test)


def test_a_late_start_loses_against_the_tombstone(place: Place) -> None:
    async def test() -> None:
        port = await known(place)
        assert not_started(await port.inspect(order())) == "fenced"
        assert not_started(await port.start(order())) == "fenced"
        assert not_started(await port.follow(order())) == "fenced"
        assert not_started(await port.cancel(order(attempt=2))) == "fenced"
        assert not_started(await port.start(order(attempt=2))) == "fenced"
        assert place.given() == []

    place.run(test)


def test_a_run_is_seen_running_and_then_finished(place: Place) -> None:
    async def test() -> None:
        port = await running(place)
        place.let_go()
        assert (await finished(port, order())).ok
        for _ in range(2):
            assert isinstance(fact(await port.inspect(order())), Finished)

    place.run(test)


def test_another_engine_finds_the_run_again(place: Place) -> None:
    async def test() -> None:
        await running(place)
        port = await known(place, epoch=2)
        assert isinstance(fact(await port.inspect(order())), Running)
        place.let_go()
        assert (await finished(port, order())).ok
        assert len(place.given()) == 1

    place.run(test)


@pytest.mark.parametrize("verb", ["cancel", "fence"])
def test_a_run_is_stopped(place: Place, verb: str) -> None:
    async def test() -> None:
        port = await running(place)
        stop = port.cancel if verb == "cancel" else port.fence
        for asked in (stop, port.inspect, port.follow, stop):
            assert isinstance(fact(await asked(order())), Stopped)

    place.run(test)


def test_what_has_ended_cannot_be_stopped(place: Place) -> None:
    async def test() -> None:
        port = await known(place)
        await port.start(order())
        await finished(port, order())
        assert isinstance(fact(await port.cancel(order())), Finished)

    place.run(test)


def test_a_failure_is_an_end_with_a_word(place: Place) -> None:
    async def test() -> None:
        place.behave("fail")
        port = await known(place)
        await port.start(order())
        ended = await finished(port, order())
        assert not ended.ok
        assert ended.failure == "exit-3"

    place.run(test)


def test_a_start_into_a_directory_that_a_late_look_made_anew_is_not_begun(place: Place) -> None:
    """The look left before its engine had heard anything, so it makes the directory as the first
    one does."""

    async def test() -> None:
        port = await known(place)
        place.wipe()
        assert isinstance(await place.late_port().probe(), VitalsReading)
        assert not_started(await port.start(order())) == "run-dir-began-anew"
        assert place.given() == []

    place.run(test)


def test_a_run_that_kills_its_whole_group_has_failed_of_that_signal(place: Place) -> None:
    async def test() -> None:
        place.behave("kill")
        port = await known(place)
        await port.start(order())
        ended = await finished(port, order())
        assert (ended.ok, ended.failure) == (False, "signal-9")

    place.run(test)


def test_a_run_that_is_gone_without_a_word_has_died(place: Place) -> None:
    async def test() -> None:
        place.behave("die")
        port = await known(place)
        assert isinstance(await port.start(order()), Definite)
        found = fact(await port.follow(order()))
        assert isinstance(found, Died)
        assert found.reason == "process-gone"

    place.run(test)


def test_a_run_that_is_cancelled_before_its_start_leaves_is_not_asked_for(place: Place) -> None:
    async def test() -> None:
        port = await known(place)
        assert not_started(await port.start(order(), lambda: False)) == "cancelled-first"
        assert not_started(await port.cancel(order())) == "fenced"
        assert place.given() == []

    place.run(test)


def test_an_older_engine_may_neither_start_nor_ask(place: Place) -> None:
    async def test() -> None:
        await known(place, epoch=7)
        old = place.port(epoch=6)
        assert not_started(await old.start(order())) == "stale-epoch"
        for asked in (old.inspect, old.cancel, old.fence, old.follow):
            assert lost(await asked(order())) is LostReason.REFUSED
        assert place.given() == []

    place.run(test)


def test_a_wiped_run_directory_proves_nothing(place: Place) -> None:
    async def test() -> None:
        port = await running(place)
        place.wipe()
        for _ in range(2):
            assert lost(await port.inspect(order())) is LostReason.NO_TRACE
        place.let_go()

    place.run(test)


@pytest.mark.parametrize("how", Harm)
def test_a_run_is_found_again_whatever_becomes_of_its_directory(place: Place, how: Harm) -> None:
    async def test() -> None:
        port = await running(place)
        place.harm(how, order().run_id)
        for _ in range(2):
            assert isinstance(fact(await port.inspect(order())), Running)
        port = await known(place, epoch=2)
        assert isinstance(fact(await port.inspect(order())), Running)
        if how not in OF_ALL:
            again = fact(await port.start(order()))
            assert isinstance(again, Started)
            assert again.already
        place.let_go()
        found = await finished(port, order())
        assert (found.ok, found.answer.text.raw) == (True, "out\n")
        assert len(place.given()) == 1

    place.run(test)


@pytest.mark.parametrize("how", Harm)
def test_a_run_writes_its_end_down_whatever_became_of_its_directory(
    place: Place, how: Harm
) -> None:
    """Nobody asks before it ends."""

    async def test() -> None:
        port = await running(place)
        place.harm(how, order().run_id)
        place.let_go()
        found = await finished(port, order())
        assert (found.ok, found.answer.text.raw) == (True, "out\n")

    place.run(test)


@pytest.mark.parametrize("how", Harm)
def test_a_run_is_stopped_whatever_became_of_its_directory(place: Place, how: Harm) -> None:
    async def test() -> None:
        port = await running(place)
        place.harm(how, order().run_id)
        assert isinstance(fact(await port.cancel(order())), Stopped)
        assert isinstance(fact(await port.inspect(order())), Stopped)

    place.run(test)


@pytest.mark.parametrize("how", Harm)
def test_what_is_said_of_a_run_whose_record_is_gone(place: Place, how: Harm) -> None:
    """That it was here, where that is known still."""

    async def test() -> None:
        port = await known(place)
        assert isinstance(fact(await port.start(order())), Started)
        await finished(port, order())
        place.harm(how, order().run_id)
        for _ in range(2):
            said = await port.inspect(order())
            if how is Harm.CLOSE:
                assert isinstance(fact(said), Finished)
            elif how in OF_ALL:
                assert lost(said) is LostReason.NO_TRACE
            else:
                assert fact(said) == Died(reason="process-gone")
        other = await port.inspect(order(attempt=2))
        if how in OF_ALL:
            assert lost(other) is LostReason.NO_TRACE, "it may have been here as well"
        else:
            assert not_started(other) == "fenced"

    place.run(test)


def test_a_directory_that_a_dead_engine_makes_anew_proves_nothing(place: Place) -> None:
    """Its first look was long on the way, and knows of no run."""

    async def test() -> None:
        port = await known(place)
        run = order(epoch=1, planned_at_ms=place.now_ms())
        assert isinstance(fact(await port.start(run)), Started)
        await finished(port, run)
        place.wipe()
        assert isinstance(await place.late_port(1).probe(), VitalsReading)
        for _ in range(2):
            assert lost(await place.port(2).inspect(run)) is LostReason.NO_TRACE
        after = order(attempt=2, epoch=1, planned_at_ms=place.now_ms())
        assert not_started(await place.port(2).inspect(after)) == "fenced"

    place.run(test)


def test_a_start_from_before_a_wipe_loses_like_one_from_before_a_tombstone(place: Place) -> None:
    """Its tombstone may have been wiped too, and its task may have been done elsewhere."""

    async def test() -> None:
        port = await known(place)
        place.wipe()
        assert not_started(await port.start(order())) == "run-dir-began-anew"
        assert not_started(await port.inspect(order())) == "fenced"
        assert place.given() == []
        assert isinstance(await port.probe(), VitalsReading)
        assert isinstance(fact(await port.start(order(attempt=2))), Started)

    place.run(test)


def test_what_one_agent_noticed_counts_for_the_others_in_the_directory(place: Place) -> None:
    """The host is asked for another agent first, by a port that has never been there."""

    async def test() -> None:
        port = await known(place)
        place.wipe()
        await known(place)
        assert lost(await port.inspect(order())) is LostReason.NO_TRACE
        assert isinstance(fact(await port.start(order(attempt=2))), Started)

    place.run(test)


def test_a_run_directory_may_be_wiped_more_than_once(place: Place) -> None:
    async def test() -> None:
        port = await known(place)
        for attempt in (1, 3):
            place.wipe()
            assert isinstance(await port.probe(), VitalsReading)
            assert lost(await port.inspect(order(attempt=attempt))) is LostReason.NO_TRACE
            assert isinstance(fact(await port.start(order(attempt=attempt + 1))), Started)

    place.run(test)


def test_a_start_never_is_the_first_thing_a_host_hears_of_an_engine(place: Place) -> None:
    """If its directory were gone by then, it could not tell a late start from an early one."""

    async def test() -> None:
        port = place.port()
        assert isinstance(fact(await port.start(order())), Started)
        place.wipe()
        assert lost(await port.inspect(order(attempt=2))) is LostReason.NO_TRACE

    place.run(test)


def test_a_lost_connection_says_nothing_about_the_run(place: Place) -> None:
    async def test() -> None:
        port = await running(place)
        following = asyncio.ensure_future(port.follow(order()))
        for _ in range(20):  # until the question is on its way
            await asyncio.sleep(0)
        place.break_connections()
        if isinstance(answer := await following, Unknown):
            assert answer.reason in (LostReason.CONNECTION_LOST, LostReason.UNREACHABLE)
        place.let_go()
        assert (await finished(port, order())).ok
        assert len(place.given()) == 1

    place.run(test)


def test_too_much_to_send_is_refused_for_good(place: Place) -> None:
    async def test() -> None:
        port = await known(place)
        found = fact(await port.start(order("x" * (MAX_PAYLOAD_BYTES + 1))))
        assert isinstance(found, NotStarted)
        assert not found.retryable
        assert place.given() == []

    place.run(test)


def test_a_host_tells_of_which_runs_it_holds_something(place: Place) -> None:
    async def test() -> None:
        port = await running(place)
        await port.inspect(order(attempt=2))  # leaves a tombstone
        await port.cancel(order())
        part = await port.kept(0)
        assert part is not None
        beside = {"epoch", "began.1000000"}
        assert set(part.runs) - beside == {order().run_id, order(attempt=2).run_id}
        assert part.following is None
        rest = await port.kept(1)
        assert rest is not None
        assert rest.runs == part.runs[1:]

    place.run(test)


def test_a_host_that_is_gone_starts_nothing(place: Place) -> None:
    async def test() -> None:
        place.go_away()
        port = place.port()
        assert isinstance(await port.probe(), ProbeFailure)
        assert not_started(await port.start(order())) == "ssh-unreachable"
        for asked in (port.inspect, port.cancel, port.fence, port.follow):
            assert lost(await asked(order())) is LostReason.UNREACHABLE

    place.run(test)


def test_a_probe_tells_how_the_host_is(place: Place) -> None:
    async def test() -> None:
        reading = await place.port().probe()
        assert isinstance(reading, VitalsReading)
        assert reading.agent == "worker"
        assert reading.boot_id
        assert reading.disk_free_bytes
        assert reading.latency_ms > 0
        assert reading.memory_percent is not None
        assert 0 < reading.memory_percent < 100

    place.run(test)
