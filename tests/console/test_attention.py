"""Calling an operator who looks elsewhere: once, rarely, and with nothing but our own sequences."""

import re

import msgspec
import pytest

from fleet_tui.console.terminal.attention import (
    CALL_EVERY_S,
    Attention,
    Caller,
    Calls,
    notification,
    title,
)
from fleet_tui.console.terminal.seatbelt import notification_sequence
from fleet_tui.console.text.glyphs import ASCII, UNICODE
from fleet_tui.core.alerting.model import Alert, Severity
from fleet_tui.core.ids import AlertId
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.status import summarize
from fleet_tui.feed.feed import Mode, View
from tests.support import payloads
from tests.support.console import console, running, text_of, until
from tests.support.fake_feed import FakeFeed
from tests.support.pty_harness import PtyProgram, python
from tests.support.scene import NOW_MS


def alert(
    name: str, severity: Severity = Severity.CRIT, subject: str = "gpu", text: str = "no room"
) -> Alert:
    return Alert(
        id=AlertId(name), severity=severity, subject=subject, text=text, raised_at_ms=NOW_MS
    )


def by_id(*alerts: Alert) -> dict[AlertId, Alert]:
    return {each.id: each for each in alerts}


ONE, TWO, WARN = alert("a:1"), alert("b:2"), alert("c:3", Severity.WARN)


def test_one_call_in_a_while_and_what_came_meanwhile_together() -> None:
    caller = Caller()
    caller.add([ONE], Calls.CRIT)
    assert caller.take(by_id(ONE), 0.0) == (ONE,)
    assert caller.take(by_id(ONE), 1.0) == (), "called once"
    caller.add([TWO], Calls.CRIT)
    caller.add([alert("d:4")], Calls.CRIT)
    assert caller.take(by_id(ONE, TWO, alert("d:4")), CALL_EVERY_S - 0.1) == ()
    assert caller.take(by_id(ONE, TWO, alert("d:4")), CALL_EVERY_S) == (TWO, alert("d:4"))


def test_what_ended_or_is_in_hand_before_its_turn_is_not_called() -> None:
    caller = Caller()
    caller.add([ONE], Calls.CRIT)
    assert caller.take(by_id(ONE), 0.0) == (ONE,)
    caller.add([TWO, WARN], Calls.ALL)
    acked = msgspec.structs.replace(WARN, acked_by="ops")
    assert caller.take(by_id(acked), 100.0) == ()


@pytest.mark.parametrize(
    ("calls", "wanted"), [(Calls.CRIT, (ONE,)), (Calls.ALL, (ONE, WARN)), (Calls.OFF, ())]
)
def test_which_alerts_call_is_chosen(calls: Calls, wanted: tuple[Alert, ...]) -> None:
    caller = Caller()
    caller.add([ONE, WARN], calls)
    assert caller.take(by_id(ONE, WARN), 0.0) == wanted


@pytest.mark.parametrize("payload", payloads.ESCAPES)
def test_remote_text_reaches_the_desktop_as_text_alone(payload: str) -> None:
    hostile = alert("e:5", subject=payload, text=payload)
    said = notification_sequence(notification([hostile], FleetState()))
    assert re.fullmatch("\x1b\\]9;[^\x00-\x1f\x7f-\x9f]*\x07", said), said
    assert said.startswith("\x1b]9;fleet: "), "never a digit first: that would be an order"


def test_the_title_counts_what_is_critical_and_says_review() -> None:
    feed = FakeFeed()
    view = feed.view()

    def of(view: View) -> str:
        return title(view, summarize(view.state, view.now_ms, view.samples), UNICODE)

    def with_alerts(*alerts: Alert) -> View:
        state = msgspec.structs.replace(view.state, alerts=by_id(*alerts))
        return msgspec.structs.replace(view, state=state)

    assert of(with_alerts()) == "prod - fleet-tui"
    assert of(with_alerts(ONE, TWO, WARN)) == "✗2 prod"
    found = with_alerts(ONE)
    status = summarize(found.state, found.now_ms, found.samples)
    assert title(found, status, ASCII) == "x1 prod"
    assert of(msgspec.structs.replace(found, mode=Mode.REVIEW)) == "prod - review"


def test_switched_off_nothing_is_written_at_all() -> None:
    rung: list[str] = []
    attention = Attention(Calls.OFF, rung.append, rung.append)
    view = FakeFeed().view()
    attention.show([ONE], view, summarize(view.state, view.now_ms, view.samples), UNICODE)
    assert rung == []


async def test_the_bell_is_set_by_a_command() -> None:
    app = console()
    async with running(app) as pilot:
        for word in Calls:
            assert app.run_command(f"set bell {word}") is None
            assert app.attention.calls is word
        await until(pilot, lambda: "no alert rings the bell" in text_of(app))
        problem = app.run_command("set bell loud")
        assert problem is not None
        assert problem.hint == "bell crit, bell all, bell off"


CALLED = "\x07\x1b]9;prod: gpu: no room\x07"


def test_in_a_terminal_a_new_alert_rings_and_the_title_comes_back_at_the_end() -> None:
    runner = python("-m", "tests.support.console_runner", "--bell", "crit", "--alert-on-note")
    with PtyProgram(runner) as program:
        program.wait_for("agent-14", "Queue depth")
        program.wait_until(lambda _: b"\x1b]2;\xe2\x9c\x971 prod\x07" in program.painted)
        program.press(":note now\r")
        program.wait_until(lambda _: CALLED.encode() in program.painted, what="the call")
        program.wait_until(lambda _: b"\x1b]2;\xe2\x9c\x972 prod\x07" in program.painted)
        program.press("\x11")
        program.wait_for_end()
        sent = program.painted.decode("utf-8", "replace")
    assert sent.count("\x1b[22;2t") == 1, "the terminal keeps its own title"
    assert sent.rindex("\x1b[23;2t") > sent.rindex("\x1b]2;"), "and has it back"


def test_the_linux_console_gets_the_bell_alone() -> None:
    runner = python("-m", "tests.support.console_runner", "--bell", "crit", "--alert-on-note")
    with PtyProgram(runner, env={"TERM": "linux", "COLORTERM": ""}) as program:
        program.wait_for("agent-14", "Queue depth")
        program.press(":note now\r")
        program.wait_until(lambda _: b"\x07" in program.painted, what="the bell")
        program.press("\x11")
        program.wait_for_end()
        assert b"\x1b]2;" not in program.painted
        assert b"\x1b]9;" not in program.painted
