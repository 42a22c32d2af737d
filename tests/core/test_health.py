"""What looks add up to."""

import pytest

from fleet_tui.core.agents.events import AgentIdentified, HealthChanged
from fleet_tui.core.agents.health import FLAP_LIMIT, QUARANTINE
from fleet_tui.core.agents.model import Health
from fleet_tui.core.agents.troubles import trouble_of
from fleet_tui.core.agents.vitals import FailureKind, Limit, ProbeFailure
from fleet_tui.core.alerting.alerts import conditions
from fleet_tui.core.ids import AlertId
from fleet_tui.core.ledger.events import Event
from fleet_tui.core.text.untrusted import Untrusted
from tests.support.judged import A1, PROBE, Judged, reading


def test_the_first_good_look_brings_an_agent_up_and_identifies_it() -> None:
    judged = Judged()
    events = judged.good()
    assert [type(e) for e in events] == [AgentIdentified, HealthChanged]
    assert judged.agent.health is Health.UP
    assert judged.agent.version == "1"


def test_what_an_agents_release_cannot_do_is_told_once_it_is_known() -> None:
    judged = Judged()
    judged.see(reading(limits=(Limit.NO_FENCE,)))
    assert judged.agent.limits == (Limit.NO_FENCE,)
    assert judged.see(reading()) == [], "a look that did not find out changes nothing"
    assert judged.agent.limits == (Limit.NO_FENCE,)
    judged.see(reading(version="2", limits=()))
    assert judged.agent.limits == ()


def test_one_miss_is_suspect_three_are_unreachable_two_good_ones_bring_it_back() -> None:
    judged = Judged()
    judged.good()
    seen = []
    for _ in range(3):
        judged.bad()
        seen.append(judged.agent.health)
    assert seen == [Health.SUSPECT, Health.SUSPECT, Health.UNREACHABLE]
    assert not judged.agent.in_service
    judged.good()
    assert judged.agent.health is Health.UNREACHABLE
    judged.good()
    assert judged.agent.health is Health.UP


def test_an_agent_that_stumbles_again_and_again_does_not_fill_the_ledger() -> None:
    judged = Judged()
    judged.good()
    changes = []
    for _ in range(60):  # ten minutes of every other look missed
        changes += judged.bad() + judged.good()
    assert len(changes) <= 4
    assert judged.agent.health is Health.SUSPECT
    judged.good()
    assert judged.agent.health is Health.UP, "steady again"


def test_a_suspect_that_answers_is_up_at_once() -> None:
    judged = Judged()
    judged.good()
    judged.bad()
    judged.good()
    assert judged.agent.health is Health.UP


def test_what_the_host_says_is_down_and_what_we_cannot_see_is_unreachable() -> None:
    judged = Judged()
    judged.good()
    for _ in range(3):
        judged.bad(FailureKind.GATEWAY_DOWN)
    assert judged.agent.health is Health.DOWN
    assert judged.agent.failure is FailureKind.GATEWAY_DOWN
    for _ in range(3):
        judged.bad(FailureKind.SSH_UNREACHABLE)
    assert judged.agent.health is Health.UNREACHABLE


def test_an_agent_that_fails_in_turns_does_not_fill_the_ledger() -> None:
    judged = Judged()
    judged.good()
    for _ in range(3):
        judged.bad(FailureKind.TIMEOUT)
    for _ in range(5):
        assert judged.bad(FailureKind.GATEWAY_DOWN) == []
        assert judged.bad(FailureKind.TIMEOUT) == []


def test_another_way_to_be_lost_is_not_lost_anew() -> None:
    judged = Judged()
    judged.good()
    for _ in range(3):
        judged.bad(FailureKind.TIMEOUT)
    since_ms = judged.agent.since_ms
    for _ in range(3):
        judged.bad(FailureKind.SSH_UNREACHABLE)
    assert judged.agent.failure is FailureKind.SSH_UNREACHABLE
    assert judged.agent.since_ms == since_ms


def test_words_that_turn_out_otherwise_are_corrected_once_they_are_steady() -> None:
    judged = Judged()
    for _ in range(3):
        judged.bad(words="still connecting")
    since_ms = judged.agent.since_ms
    told = [judged.bad(words="connection refused") for _ in range(5)]
    assert [len(events) for events in told] == [0, 0, 1, 0, 0]
    assert judged.agent.detail.raw == "connection refused"
    assert judged.agent.health is Health.UNREACHABLE
    assert judged.agent.since_ms == since_ms


def test_words_that_change_all_the_time_do_not_fill_the_ledger() -> None:
    judged = Judged()
    for _ in range(3):
        judged.bad(words="still connecting")
    told = [judged.bad(words=f"wish {n}") for n in range(500)]
    assert not any(told)
    for n in range(240):  # an hour of words that are steady for three looks each
        told += [judged.bad(words=f"verse {n}") for _ in range(3)]
    assert 1 <= sum(len(events) for events in told) <= 7


@pytest.mark.parametrize("kind", [k for k in FailureKind if k.is_permanent])
def test_what_only_an_operator_can_mend_counts_at_once(kind: FailureKind) -> None:
    judged = Judged()
    judged.good()
    judged.bad(kind)
    assert judged.agent.health.is_lost
    assert "needs an operator" in judged.agent.reason


def test_no_change_no_event() -> None:
    judged = Judged()
    judged.good()
    assert judged.good() == []
    for _ in range(3):
        judged.bad()
    assert judged.bad() == []


@pytest.mark.parametrize(
    ("kind", "health"),
    [
        (FailureKind.GATEWAY_STARTING, Health.STARTING),
        (FailureKind.GATEWAY_DRAINING, Health.DRAINING),
    ],
)
def test_starting_and_draining_are_states_of_their_own_not_misses(
    kind: FailureKind, health: Health
) -> None:
    judged = Judged()
    judged.good()
    for _ in range(5):
        judged.bad(kind)
    assert judged.agent.health is health
    judged.good()
    assert judged.agent.health is Health.UP


def test_why_an_agent_is_not_ready_is_corrected_once_that_is_steady() -> None:
    judged = Judged()
    judged.good()

    def not_ready(note: str, said: str = "") -> list[Event]:
        return judged.see(reading(ready=False, note=note, said=Untrusted(said)))

    not_ready("not answered yet")
    began_ms = judged.agent.since_ms
    for _ in range(2):
        assert not_ready("requests fail", "no such method") == []
    assert not_ready("requests fail", "no such method") != []
    now = judged.agent
    assert (now.health, now.reason) == (Health.STARTING, "requests fail")
    assert (now.detail.raw, now.since_ms) == ("no such method", began_ms)
    for note in ("one", "another", "one", "another") * 5:
        assert not_ready(note) == [], "it must not fill the ledger"
    for _ in range(5):
        not_ready("another")
    assert judged.agent.reason == "requests fail", "not so soon again"
    judged.good()
    for _ in range(3):
        not_ready("not answered yet")
    for _ in range(3):
        not_ready("requests fail")
    assert judged.agent.reason == "requests fail", "another time is judged anew"


def test_an_agent_that_answers_while_it_rests_is_not_said_to_fail_however_late_its_words_are() -> (
    None
):
    """Its runs would count as silent though it is heard."""
    judged = Judged()

    def not_ready(note: str) -> list[Event]:
        return judged.see(reading(ready=False, note=note))

    judged.bad(FailureKind.GATEWAY_STARTING)
    for _ in range(4):
        not_ready("loading model")
    assert judged.agent.reason == "loading model"
    judged.bad(FailureKind.TIMEOUT)
    judged.bad(FailureKind.GATEWAY_STARTING)
    began_ms = judged.agent.since_ms
    assert judged.agent.failing_since_ms is not None
    not_ready("no answer yet")
    now = judged.agent
    assert (now.health, now.reason) == (Health.STARTING, "no answer yet")
    assert (now.failure, now.failing_since_ms, now.since_ms) == (None, None, began_ms)
    for _ in range(3):
        not_ready("no model key")
    assert judged.agent.reason == "no model key", "the first correction of these words"


@pytest.mark.parametrize("health", [Health.QUARANTINED, Health.RETIRED])
def test_a_note_changes_nothing_about_who_is_kept_out(health: Health) -> None:
    judged = Judged()
    judged.good()
    judged.story.health(A1, health)
    for _ in range(5):
        assert judged.see(reading(ready=False, note="starting")) == []


def test_a_late_event_loop_degrades_after_two_readings_and_recovers_after_two() -> None:
    judged = Judged()
    judged.good()
    judged.good(loop_lag_ms_p99=900.0)
    assert judged.agent.health is Health.UP
    judged.good(loop_lag_ms_p99=900.0)
    assert judged.agent.health is Health.DEGRADED
    assert "900 ms" in judged.agent.reason
    assert judged.agent.in_service
    judged.good()
    assert judged.agent.health is Health.DEGRADED
    judged.good()
    assert judged.agent.health is Health.UP


def test_flapping_is_quarantined_for_longer_each_time() -> None:
    judged = Judged()
    judged.good()
    sentences = []
    for _ in range(2):
        while judged.agent.health is not Health.QUARANTINED:
            for _ in range(PROBE.down_after):
                judged.bad()
            if judged.agent.health is not Health.QUARANTINED:
                judged.good()
                judged.good()
        until = judged.agent.quarantine_until_ms
        assert until is not None
        sentences.append(until - judged.story.now_ms)
        judged.good()
        judged.good()
        assert judged.agent.health is Health.QUARANTINED
        judged.story.now_ms = until
        judged.good()
        assert judged.agent.health is Health.UP
    assert sentences == [QUARANTINE.base_ms, 2 * QUARANTINE.base_ms]
    assert FLAP_LIMIT == 3


def test_a_restarted_process_is_noticed() -> None:
    judged = Judged()
    judged.good()
    (event,) = judged.good(boot_id="b2")
    assert isinstance(event, AgentIdentified)
    assert judged.agent.boot_id == "b2"


@pytest.mark.parametrize(
    ("kind", "cause", "because"),
    [
        (FailureKind.CANNOT_WORK, "its run_dir has no hard links", "its run_dir has no hard links"),
        (FailureKind.DISK_FULL, "", "its host's disk is full"),
    ],
)
def test_an_agent_whose_host_cannot_hold_runs_takes_no_work_and_says_why(
    kind: FailureKind, cause: str, because: str
) -> None:
    judged = Judged()
    judged.good()
    why = ProbeFailure(
        agent=A1,
        observed_at_ms=0,
        kind=kind,
        detail=Untrusted("~/runs: ln: Operation not permitted"),
        cause=cause,
    )
    for _ in range(3):
        judged.see(why)
        assert judged.agent.health is Health.DOWN
        assert not judged.agent.in_service
        assert judged.agent.reason == f"cannot take work, because {because}"
        assert trouble_of(judged.agent) == f"down: cannot take work, because {because}"
    told = conditions(judged.story.state, judged.story.now_ms)[AlertId("agent-down:a1")]
    assert told.text == f"down: cannot take work, because {because}"
    assert told.detail == why.detail
    judged.good()
    judged.good()
    assert judged.agent.health is Health.UP


@pytest.mark.parametrize(
    ("skew_ms", "words"),
    [(90_000_000.0, "its host's clock is 1d01h ahead"), (-900_000.0, "is 15m00s behind")],
)
def test_a_clock_that_is_wrong_is_said_and_takes_no_agent_out(skew_ms: float, words: str) -> None:
    judged = Judged()
    judged.good()
    for _ in range(2):
        judged.good(clock_skew_ms=skew_ms)
    assert judged.agent.health is Health.DEGRADED
    assert words in judged.agent.reason
    assert judged.agent.in_service
    for _ in range(2):
        judged.good(clock_skew_ms=-5_000.0)
    assert judged.agent.health is Health.UP


def test_what_a_person_mended_is_believed_at_the_first_good_look() -> None:
    judged = Judged()
    judged.good()
    judged.bad(FailureKind.GATEWAY_AUTH)
    assert judged.agent.health is Health.DOWN
    judged.good()
    assert judged.agent.health is Health.UP


def test_a_lost_agent_says_which_of_its_misses_its_words_are_about() -> None:
    mixed = (FailureKind.TIMEOUT, FailureKind.TIMEOUT, FailureKind.GATEWAY_HUNG)
    turned = [FailureKind.TIMEOUT] * 3 + [FailureKind.GATEWAY_HUNG] * 3
    words = "its gateway does not answer"
    for kinds, told in (
        (mixed, f"3 failed probes in a row, the last: {words}"),
        (turned, f"6 failed probes in a row, the last 3: {words}"),
        ([FailureKind.GATEWAY_HUNG] * 3, f"3 failed probes in a row: {words}"),
    ):
        judged = Judged()
        judged.good()
        for kind in kinds:
            judged.bad(kind)
        assert judged.agent.reason == told
