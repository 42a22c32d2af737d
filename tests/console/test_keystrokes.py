"""What is typed ahead goes where it was meant; what nobody types does nothing that acts."""

import asyncio

import pytest
from textual.events import Key

from fleet_tui.console.terminal import keystrokes
from fleet_tui.console.terminal.keystrokes import BURST_KEYS, BURST_S, Pace
from tests.support.console import console, press, running, text_of, until
from tests.support.pty_harness import PtyProgram, python


def pace(*times_s: float) -> Pace:
    found = Pace()
    for time_s in times_s:
        found.add(time_s)
    return found


def test_more_than_eight_keys_at_once_are_a_burst() -> None:
    assert not pace().is_burst
    assert not pace(*[0.0] * BURST_KEYS).is_burst
    assert pace(*[0.0] * BURST_KEYS, 0.01).is_burst
    assert not pace(*[0.0] * BURST_KEYS, 0.06).is_burst
    assert not pace(*(n * 0.033 for n in range(20))).is_burst, "a key that is held down"


def test_a_key_right_after_another_is_no_answer_to_what_that_one_asked() -> None:
    assert not pace(0.0).is_hurried
    assert pace(0.0, 0.01).is_hurried
    assert not pace(0.0, 0.2).is_hurried


async def test_what_is_typed_ahead_after_a_colon_is_typed_into_the_bar() -> None:
    app = console()
    async with running(app) as pilot:
        for character in ":agents":
            app.post_message(Key("colon" if character == ":" else character, character))
        screen = app.visible_screen
        assert screen is not None
        await until(pilot, lambda: screen.bar.text == "agents")
        assert not app.is_paused
        app.post_message(Key("enter", "\r"))
        await until(pilot, lambda: "PROBE" in text_of(app))


@pytest.mark.parametrize("looks", [1, 1_000])
async def test_a_page_that_is_slow_to_come_keeps_the_keys_meant_for_it(
    monkeypatch: pytest.MonkeyPatch, looks: int
) -> None:
    monkeypatch.setattr(keystrokes, "LOOK_S", 0)
    monkeypatch.setattr(keystrokes, "MAX_LOOKS", looks)
    app = console()
    async with running(app) as pilot:
        screen = app.visible_screen
        assert screen is not None
        busy = asyncio.Event()
        screen.call_later(busy.wait)
        for character in ":agents":
            app.post_message(Key("colon" if character == ":" else character, character))
        for _ in range(200):  # turns of the loop, each with a look
            await asyncio.sleep(0)
        busy.set()
        whole = looks > 1  # who waits for no second look has let the keys go astray
        await until(pilot, lambda: (screen.bar.text == "agents") == whole)


async def test_a_page_that_goes_with_a_key_in_its_queue_does_not_keep_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keystrokes, "LOOK_S", 0.01)
    app = console()
    async with running(app) as pilot:
        await press(pilot, "2", "enter")
        page = app.visible_screen
        assert page is not None
        busy = asyncio.Event()
        page.call_later(busy.wait)
        app.post_message(Key("j", "j"))
        app.pop_screen()
        app.post_message(Key("3", "3"))
        busy.set()
        await until(pilot, lambda: app.visible_screen is not page)
        await until(pilot, lambda: "TRIES" in text_of(app))


def test_in_a_terminal_a_burst_opens_nothing_and_confirms_nothing() -> None:
    with PtyProgram(python("-m", "tests.support.console_runner")) as program:
        program.wait_for("agent-14", "Queue depth")
        program.press("jjjjjjjjjC")
        program.wait_for("keys arrived faster")
        program.watch(2 * BURST_S)  # as long as any key still belongs to it
        program.press("Cyyyy")
        program.wait_for("y/N")
        program.press("n")
        program.press("2")
        program.wait_for("PROBE")
        assert "cordoned:" not in program.text()


def test_in_a_terminal_a_question_is_answered_by_hand() -> None:
    with PtyProgram(python("-m", "tests.support.console_runner")) as program:
        program.wait_for("agent-14", "Queue depth")
        program.press("C")
        program.wait_for("y/N")
        program.watch(0.1)
        program.press("y")
        program.wait_for("cordoned: agent-14")
