"""The form for new work, by its keys."""

from textual import events
from textual.pilot import Pilot

from fleet_tui.console.shell.places import Place
from fleet_tui.console.views.submit.screen import SubmitScreen
from fleet_tui.core.fleet import Priority
from fleet_tui.core.ids import Seq
from fleet_tui.core.ledger.refusals import RefusalCode
from fleet_tui.core.ledger.replies import Accepted, Refused
from fleet_tui.core.tasks.commands import Submit
from fleet_tui.core.text.ulid import ENTROPY_BYTES, new_ulid
from tests.support.console import console, press, running, text_of, until
from tests.support.fake_feed import FakeFeed
from tests.support.scene import NOW_MS

SIZE = (100, 30)


async def to_button(pilot: Pilot[int], field: int = 0) -> None:
    """From a field on to the button."""
    await press(pilot, *["tab"] * (9 - field))


async def test_what_is_typed_is_sent_once_and_opens_its_page() -> None:
    feed = FakeFeed()
    app = console(feed)
    async with running(app, SIZE) as pilot:
        await press(pilot, "T", *"Count it", "enter", *"all")
        await press(pilot, "tab", *"gpu", "enter", *"gpu")
        await to_button(pilot, 2)
        text = text_of(app)
        assert "enter sends it" in text
        assert "same as   fleet-tui submit --need gpu --pool gpu --file task.txt" in text
        await press(pilot, "enter")
        await until(pilot, lambda: bool(feed.sent))
        (order,) = feed.sent
        assert isinstance(order, Submit)
        assert order.spec.payload.raw == "Count it\nall"
        assert order.spec.needs == {"gpu"}
        assert order.spec.pool == "gpu"
        assert order.task[:10] == new_ulid(NOW_MS, bytes(ENTROPY_BYTES))[:10]
        assert order.key == order.task
        await until(pilot, lambda: app.visible_screen is not None
                    and app.visible_screen.place.view == "task")  # fmt: skip


async def test_problems_stand_at_their_fields_and_nothing_is_sent_or_lost() -> None:
    feed = FakeFeed()
    app = console(feed)
    async with running(app, SIZE) as pilot:
        await press(pilot, "T", "tab", *"gpx", "tab", *"nowhere")
        await to_button(pilot, 2)
        text = await press(pilot, "enter")
        lines = text.splitlines()
        assert "what should the agent do? The text is empty" in text
        needs = next(at for at, line in enumerate(lines) if line.startswith(" needs"))
        assert "no agent declares gpx - did you mean gpu?" in lines[needs + 1]
        assert "no pool is called nowhere" in lines[needs + 3]
        assert not feed.sent
        assert app.focused is not None
        assert app.focused.id == "field-payload"
        await press(pilot, "tab", "backspace")
        assert "no agent declares" not in text_of(app), "typing takes the problem away"
        await press(pilot, *"u")
        screen = app.visible_screen
        assert isinstance(screen, SubmitScreen)
        assert screen.typed.needs == "gpu"


async def test_letters_are_typed_not_obeyed_and_leaving_keeps_them() -> None:
    feed = FakeFeed()
    app = console(feed)
    async with running(app, SIZE) as pilot:
        await press(pilot, "T", *"qKXD:?/1")
        await press(pilot, "escape")
        await until(pilot, lambda: app.visible_screen is not None
                    and app.visible_screen.place.view == "overview")  # fmt: skip
        await press(pilot, "T")
        screen = app.visible_screen
        assert isinstance(screen, SubmitScreen)
        assert screen.typed.payload == "qKXD:?/1"
        assert not feed.sent


async def test_a_paste_with_line_ends_and_controls_is_kept_announced_and_never_sent() -> None:
    feed = FakeFeed()
    app = console(feed)
    async with running(app, SIZE) as pilot:
        await press(pilot, "T")
        app.post_message(events.Paste("first\nsecond \x1b]0;x\x07\n"))
        await until(pilot, lambda: "2 invisible or control characters in the text" in text_of(app))
        screen = app.visible_screen
        assert isinstance(screen, SubmitScreen)
        assert screen.typed.payload == "first\nsecond \x1b]0;x\x07\n"
        assert "\x1b" not in text_of(app)
        assert not feed.sent


async def test_choices_by_arrow_keys() -> None:
    feed = FakeFeed()
    app = console(feed)
    async with running(app, SIZE) as pilot:
        await press(pilot, "T", "x", *["tab"] * 7, "left", "left", "enter", "right")
        assert "[P0]" in text_of(app)
        assert "[idempotent]" in text_of(app)
        await press(pilot, "tab", "enter")
        await until(pilot, lambda: bool(feed.sent))
        order = feed.sent[0]
        assert isinstance(order, Submit)
        assert order.spec.priority is Priority.P0


async def test_a_refusal_stays_in_the_form() -> None:
    feed = FakeFeed()
    feed.next_reply = Refused(code=RefusalCode.QUEUE_FULL, text="The queue is full.", hint="Later.")
    app = console(feed)
    async with running(app, SIZE) as pilot:
        await press(pilot, "T", "x")
        await to_button(pilot)
        await press(pilot, "enter")
        await until(pilot, lambda: " The queue is full. Later." in text_of(app))
        screen = app.visible_screen
        assert isinstance(screen, SubmitScreen)
        assert screen.typed.payload == "x"


async def test_the_page_opened_is_that_of_the_task_the_engine_named() -> None:
    feed = FakeFeed()
    app = console(feed)
    async with running(app, SIZE) as pilot:
        known = next(iter(feed.view().state.open_tasks))
        feed.next_reply = Accepted(seq=Seq(1), task=known, number=1, duplicate=True)
        await press(pilot, "T", "x")
        await to_button(pilot)
        await press(pilot, "enter")
        await until(pilot, lambda: app.visible_screen is not None
                    and app.visible_screen.place == Place("task", known))  # fmt: skip


async def test_the_command_line_fills_the_form_and_explains_mistakes() -> None:
    feed = FakeFeed()
    app = console(feed)
    async with running(app, SIZE) as pilot:
        await press(pilot, "colon", *"submit --pol gpu x", "enter")
        assert "did you mean --pool?" in text_of(app)
        await press(
            pilot, "escape", "colon", *"submit --pool gpu --priority P1 count them", "enter"
        )
        await until(pilot, lambda: isinstance(app.visible_screen, SubmitScreen))
        screen = app.visible_screen
        assert isinstance(screen, SubmitScreen)
        await until(pilot, lambda: screen.is_mounted and "count them" in text_of(app))
        assert (screen.typed.pool, screen.typed.priority) == ("gpu", "P1")
        assert not feed.sent


async def test_a_read_only_console_has_no_form() -> None:
    app = console(FakeFeed(can_act=False))
    async with running(app, SIZE) as pilot:
        await press(pilot, "T")
        await until(pilot, lambda: "read-only" in text_of(app))
        assert app.visible_screen is not None
        assert app.visible_screen.place.view == "overview"
        await press(pilot, "colon", *"submit x", "enter")
        assert app.visible_screen.place.view == "overview"


async def test_what_draws_nothing_is_seen_where_it_is_written() -> None:
    """Python calls fillers and selectors printable; one on another, marks are a storm."""
    hidden = "pay\u3164\u115f\ufe0f\U000e0100" + "a" + "\u0301" * 9 + "!"
    app = console(FakeFeed())
    async with running(app, SIZE) as pilot:
        await press(pilot, "T")
        app.post_message(events.Paste(hidden))
        await until(pilot, lambda: "marks>!" in text_of(app))
        shown = text_of(app)
        assert "pay<U+3164><U+115F>" in shown
        assert "<U+E0100>" in shown
        assert not set(hidden) & set(shown) & set("\u3164\u115f\ufe0f\U000e0100")


async def test_a_filler_that_is_typed_is_seen() -> None:
    app = console(FakeFeed())
    async with running(app, SIZE) as pilot:
        await press(pilot, ":", *"logs", "\u3164")
        shown = text_of(app)
        assert "logs<U+3164>" in shown
        assert "\u3164" not in shown
