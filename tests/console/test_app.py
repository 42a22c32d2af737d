"""The console by its keys: looking, narrowing down, commands, acting, leaving."""

import os
import signal
import stat
from pathlib import Path

import pytest

from fleet_tui.console.shell.app import LEAST_REFRESH_MS, FleetApp
from fleet_tui.console.shell.messages import Loudness
from fleet_tui.console.shell.palette import Palette
from fleet_tui.console.shell.places import Place
from fleet_tui.console.text.glyphs import UNICODE
from fleet_tui.console.views.agents.pane import HealthPane
from fleet_tui.console.views.help.screen import HelpScreen
from fleet_tui.console.views.logs.pane import LogsPane
from fleet_tui.console.widgets.dialogs import ConfirmBar, PlanCard
from fleet_tui.core.agents.commands import Cordon, Uncordon
from fleet_tui.core.alerting.commands import Ack
from fleet_tui.core.alerting.model import Alert, Severity
from fleet_tui.core.ids import AlertId
from fleet_tui.core.ledger.refusals import RefusalCode
from fleet_tui.core.ledger.replies import Refused
from fleet_tui.core.logs import Level, LogLine
from fleet_tui.core.notes.commands import AddNote
from fleet_tui.core.tasks.commands import Cancel, Requeue
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.feed.feed import Mode
from tests.support import payloads
from tests.support.console import COLOURFUL, console, press, running, text_of, until
from tests.support.fake_feed import FakeFeed
from tests.support.scene import NOW_MS, agent_name, task_id

HOUR_S = 3_600.0


def health(app: FleetApp) -> HealthPane:
    return app.screen_stack[1].query_one("#health", HealthPane)


def last_line(app: FleetApp) -> str:
    return text_of(app).splitlines()[-1]


# --- views ---


async def test_digits_open_views_and_keep_their_place() -> None:
    app = console()
    async with running(app) as pilot:
        await press(pilot, "j", "j")
        await press(pilot, "2")
        await until(pilot, lambda: "PROBE" in text_of(app))
        assert "20 agents" in text_of(app)
        await press(pilot, "1")
        await until(pilot, lambda: "Queue depth" in text_of(app))
        assert health(app).table.cursor_id == agent_name(18)


async def test_history_goes_back_and_forth_and_minus_to_and_fro() -> None:
    app = console()
    async with running(app) as pilot:

        async def at(view: str, *keys: str) -> None:
            await press(pilot, *keys)
            await until(pilot, lambda: app.visible_screen is not None)
            assert app.visible_screen is not None
            assert app.visible_screen.place.view == view

        await at("agents", "2")
        await at("alerts", "7")
        await at("agents", "left_square_bracket")
        await at("overview", "left_square_bracket")
        await at("overview", "left_square_bracket")
        await at("alerts", "right_square_bracket", "right_square_bracket")
        await at("agents", "minus")
        await at("alerts", "minus")


async def test_enter_opens_an_agent_and_q_comes_back() -> None:
    app = console()
    async with running(app) as pilot:
        await press(pilot, "enter")
        await until(pilot, lambda: "Overview > agent-14" in text_of(app))
        await press(pilot, "q")
        await until(pilot, lambda: "Queue depth" in text_of(app))


async def test_time_passes_on_the_screen_that_is_in_view() -> None:
    feed = FakeFeed()
    app = console(feed)
    async with running(app) as pilot:
        await press(pilot, "2")
        await until(pilot, lambda: "PROBE" in text_of(app))
        feed.tick(120_000)
        await until(pilot, lambda: "12:06" in text_of(app))
        await press(pilot, "1")
        await until(pilot, lambda: "Queue depth" in text_of(app) and "12:06" in text_of(app))


async def test_a_paused_display_stands_still_and_says_so() -> None:
    feed = FakeFeed()
    app = console(feed)
    async with running(app) as pilot:
        await press(pilot, "p")
        feed.tick(600_000)
        feed.say(
            LogLine(received_at_ms=NOW_MS, source=None, level=Level.INFO, text=Untrusted("x1"))
        )
        await until(pilot, lambda: app.lines.total > 210)
        assert "PAUSED 12:04:31" in text_of(app)
        assert "x1" not in text_of(app)
        await press(pilot, "p")
        await until(pilot, lambda: "LIVE 12:14" in text_of(app) and "x1" in text_of(app))


async def test_the_time_window_changes_the_chart() -> None:
    app = console()
    async with running(app) as pilot:
        assert "last 30m" in text_of(app)
        await press(pilot, "t")
        await until(pilot, lambda: "last 1h" in text_of(app))


# --- filters ---


async def test_a_filter_works_while_it_is_typed_and_enter_keeps_it() -> None:
    app = console()
    async with running(app) as pilot:
        await press(pilot, "slash", *"pool:gpu")
        await until(pilot, lambda: "16 hidden" in text_of(app))
        await press(pilot, "enter")
        await until(pilot, lambda: not app.screen.query_one("#bar").display)
        assert "pool:gpu - 16 hidden" in text_of(app)
        assert app.screen.focused is health(app).table
        await press(pilot, "backslash")
        await until(pilot, lambda: "pool:gpu (off)" in text_of(app))
        await press(pilot, "backslash", "slash")
        assert app.visible_screen is not None
        assert app.visible_screen.bar.text == "pool:gpu", "the text is recalled"
        await press(pilot, "escape")
        await until(pilot, lambda: "pool:gpu" not in text_of(app))


async def test_problems_only_combines_with_a_filter_and_escape_drops_both() -> None:
    app = console()
    async with running(app) as pilot:
        await press(pilot, "exclamation_mark")
        await until(pilot, lambda: "problems only - 17 hidden" in text_of(app))
        await press(pilot, "slash", *"pool:gpu", "enter")
        await until(pilot, lambda: "19 hidden" in text_of(app))
        await press(pilot, "escape", "escape")
        await until(pilot, lambda: "hidden" not in text_of(app))


async def test_a_filter_without_hits_guesses() -> None:
    app = console()
    async with running(app) as pilot:
        await press(pilot, "slash", *"pool:gpx", "enter")
        await until(pilot, lambda: "did you mean" in text_of(app))
        assert "0 of 20 match pool:gpx - did you mean pool:gpu? esc clears" in text_of(app)


async def test_a_filter_that_is_wrong_stays_in_the_bar_with_a_caret() -> None:
    app = console()
    async with running(app) as pilot:
        await press(pilot, "slash", *"pol:gpu", "enter")
        await until(pilot, lambda: "^" in text_of(app))
        assert app.screen.query_one("#bar").display
        assert "no key is named pol - did you mean pool:?" in text_of(app)


async def test_logs_are_filtered_by_level_and_words() -> None:
    app = console()
    async with running(app) as pilot:
        await press(pilot, "tab", "tab", "tab", "exclamation_mark")
        pane = app.screen.query_one("#logs", LogsPane)
        await until(pilot, lambda: "warn and worse" in text_of(app))
        assert pane.lines.line_count == 3
        await press(pilot, "slash", *"agent:agent-14", "enter")
        await until(pilot, lambda: pane.lines.line_count == 1)
        assert pane.set_filter("level:(") is not None


# --- sorting, marks ---


async def test_sorting_by_a_column_and_back() -> None:
    app = console()
    async with running(app) as pilot:
        await press(pilot, "s")
        await until(pilot, lambda: "Sort by" in text_of(app))
        await press(pilot, *["down"] * 5, "enter")
        await until(pilot, lambda: "by queue" in text_of(app))
        ids = [row.queued for row in health(app).shown_records]
        known = [queued for queued in ids if queued is not None]
        assert known == sorted(known)


async def test_actions_are_about_all_marked_rows() -> None:
    app = console()
    async with running(app) as pilot:
        await press(pilot, "space", "space")
        assert health(app).selection().agents == (agent_name(14), agent_name(6))
        await press(pilot, "escape")
        assert health(app).selection().agents == (agent_name(18),)


async def test_columns_without_room_are_one_key_away() -> None:
    app = console()
    async with running(app, (80, 24)) as pilot:
        assert "COST" not in text_of(app)
        await press(pilot, "w")
        await until(pilot, lambda: "COST" in text_of(app) and "CONFIG" in text_of(app))
        assert "unreachable agent-14" in text_of(app)
        await press(pilot, "w")
        await until(pilot, lambda: "COST" not in text_of(app))


# --- the command line ---


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("agnts", "did you mean agents"),
        ("a", "could be ack, agent, agents, alerts"),
        ("agent", "which agent?"),
        ("agent agent-99", "no agent is called agent-99"),
        ("why nonsense", "no task nonsense"),
        ("cordon agent-1x", "nothing here is called agent-1x"),
        ("theme pink", "there is no theme pink"),
        ("set refresh soon", "soon is not a time"),
        ("goto 11:58", "this works in a recording only"),
    ],
)
async def test_what_is_not_understood_stays_in_the_bar(typed: str, said: str) -> None:
    app = console()
    async with running(app) as pilot:
        await press(pilot, "colon", *[{" ": "space", "-": "minus"}.get(c, c) for c in typed])
        await press(pilot, "enter")
        await until(pilot, lambda: said in text_of(app), said)
        assert app.screen.query_one("#bar").display
        await press(pilot, "escape")
        await until(pilot, lambda: not app.screen.query_one("#bar").display)


@pytest.mark.parametrize(
    ("typed", "place"),
    [
        ("agents state:down", Place("agents", "", "state:down")),
        ("al", Place("alerts")),
        ("agent agent-06", Place("agent", "agent-06")),
        ("logs agent-06", Place("logs", "agent-06")),
        ("why t-48340", Place("why", task_id(48_340))),
        ("task 48220", Place("task", task_id(48_220))),
        ("messages", Place("messages")),
        ("help cordon", Place("help", "cordon")),
    ],
)
async def test_commands_open_places(typed: str, place: Place) -> None:
    app = console()
    async with running(app) as pilot:
        assert app.run_command(typed) is None
        await until(
            pilot, lambda: app.visible_screen is not None and app.visible_screen.place == place
        )
        assert app.history.of(":") == (typed,)


async def test_settings_are_changed_by_commands() -> None:
    app = console()
    async with running(app) as pilot:
        assert app.run_command("theme contrast") is None
        assert app.theme == "fleet-contrast"
        assert app.run_command("set refresh 2s") is None
        await until(pilot, lambda: "every 2s" in text_of(app))


async def test_what_waits_for_its_frame_is_shown_at_another_refresh_too() -> None:
    feed = FakeFeed()
    app = console(feed)
    async with running(app) as pilot:
        app.set_refresh(3_600_000)
        feed.change_state()
        await until(pilot, lambda: app._limiter.is_waiting)
        assert app.view is not feed.view()
        app.set_refresh(LEAST_REFRESH_MS)
        await until(pilot, lambda: app.view is feed.view(), "the view that waited is shown")


async def test_beginnings_are_completed() -> None:
    app = console()
    async with running(app):
        assert app.complete("cord") == "cordon"
        assert app.complete("cordon agent-1") == "cordon agent-10"
        assert app.complete("theme con") == "theme contrast"
        assert app.complete("zzz") is None
        assert app.complete("") is None


async def test_the_palette_finds_actions_agents_and_tasks() -> None:
    app = console()
    async with running(app) as pilot:
        await press(pilot, "ctrl+p")
        assert isinstance(app.screen, Palette)
        await press(pilot, "a", "g", "e", "n", "t", "minus", "1", "7", "enter")
        await until(pilot, lambda: "agent-17" in text_of(app) and "Overview >" in text_of(app))


async def test_help_is_out_of_the_registry_and_does_what_it_shows() -> None:
    app = console()
    async with running(app) as pilot:
        await press(pilot, "question_mark")
        await until(pilot, lambda: isinstance(app.visible_screen, HelpScreen))
        await until(
            pilot, lambda: " Agents, worst first. A state is a sign and a word." in text_of(app)
        )
        await press(pilot, "slash", *"sessions", "enter")
        await until(pilot, lambda: "Sessions view" in text_of(app))


async def test_a_click_on_a_key_is_as_good_as_the_key() -> None:
    app = console()
    async with running(app) as pilot:
        at = last_line(app).index("/ filter")
        await pilot.click("#keys", offset=(at, 0))
        await until(pilot, lambda: bool(app.screen.query_one("#bar").display))


# --- acting ---


async def test_cordon_asks_once_sends_once_and_shows_it() -> None:
    feed = FakeFeed()
    app = console(feed)
    async with running(app) as pilot:
        await press(pilot, "j", "j", "j", "C")
        await until(pilot, lambda: isinstance(app.screen, ConfirmBar))
        assert "Cordon agent-01? No new work. 2 running tasks continue." in text_of(app)
        await press(pilot, "n")
        assert feed.sent == []
        await press(pilot, "C")
        await until(pilot, lambda: isinstance(app.screen, ConfirmBar))
        await press(pilot, "y")
        await until(pilot, lambda: "cordoned: agent-01" in text_of(app))
        assert feed.sent == [Cordon(agents=(agent_name(1),))]
        await until(pilot, lambda: "◌1" in text_of(app))
        assert health(app).table.cursor_id == agent_name(1)
        await press(pilot, "U")
        await until(pilot, lambda: isinstance(app.screen, ConfirmBar))
        await press(pilot, "y")
        await until(pilot, lambda: len(feed.sent) == 2)
        assert feed.sent[1] == Uncordon(agents=(agent_name(1),))


async def test_much_of_a_pool_asks_for_the_fleets_name() -> None:
    feed = FakeFeed()
    app = console(feed)
    async with running(app) as pilot:
        assert app.run_command("cordon agent-12 agent-13") is None
        await until(pilot, lambda: isinstance(app.screen, PlanCard))
        text = text_of(app)
        assert "gpu in service 3/4 -> 1" in text
        assert "fleet-tui cordon agent-12 agent-13" in text
        card = app.screen
        assert isinstance(card, PlanCard)
        card._reading_s = HOUR_S  # however long the keys take on a busy machine
        await press(pilot, *"prod")
        await pilot.press("enter")
        assert feed.sent == []
        card._reading_s = 0.0
        await press(pilot, "enter")
        await until(pilot, lambda: len(feed.sent) == 1)


async def test_cancel_shows_what_is_lost() -> None:
    feed = FakeFeed()
    app = console(feed)
    async with running(app) as pilot:
        assert app.run_command("cancel t-48170 t-48220") is None
        await until(pilot, lambda: "that work is lost" in text_of(app))
        assert "removed from the queue" in text_of(app)
        card = app.screen
        assert isinstance(card, PlanCard)
        await until(pilot, lambda: card.is_ready)
        await press(pilot, "y")
        await until(pilot, lambda: len(feed.sent) == 1)
        assert feed.sent == [Cancel(tasks=(task_id(48_170), task_id(48_220)))]


async def test_cancel_of_a_task_that_needs_a_verdict_says_what_becomes_of_its_run() -> None:
    app = console(FakeFeed())
    async with running(app) as pilot:
        assert app.run_command("cancel t-48100") is None
        await until(pilot, lambda: "may run on agent-14: stopped if so" in text_of(app))
        assert "removed from the queue" not in text_of(app)


async def test_a_failed_task_is_run_again() -> None:
    feed = FakeFeed()
    failed = next(t for t in feed.view().state.ended_tasks() if t.reason)
    app = console(feed)
    async with running(app) as pilot:
        assert app.run_command(f"requeue {failed.label}") is None
        await until(pilot, lambda: isinstance(app.screen, PlanCard))
        card = app.screen
        assert isinstance(card, PlanCard)
        await until(pilot, lambda: card.is_ready)
        await press(pilot, "y")
        await until(pilot, lambda: len(feed.sent) == 1)
        (sent,) = feed.sent
        assert isinstance(sent, Requeue)
        assert sent.tasks == (failed.id,)


async def test_a_refusal_is_told_in_the_engines_words() -> None:
    feed = FakeFeed()
    feed.next_reply = Refused(
        code=RefusalCode.NOTHING_NAMED, text="the pool is frozen", hint="wait"
    )
    app = console(feed)
    async with running(app) as pilot:
        await press(pilot, "C")
        await until(pilot, lambda: isinstance(app.screen, ConfirmBar))
        await press(pilot, "y")
        await until(pilot, lambda: "refused: the pool is frozen - wait" in text_of(app))
        assert [notice.loudness for notice in app.notices] == [Loudness.ERROR]


async def test_alerts_are_acknowledged() -> None:
    feed = FakeFeed()
    app = console(feed)
    async with running(app) as pilot:
        await press(pilot, "tab", "A")
        await until(pilot, lambda: isinstance(app.screen, ConfirmBar))
        await press(pilot, "y")
        await until(pilot, lambda: "agent-14 down · ack ops" in text_of(app))
        assert feed.sent == [Ack(alerts=(AlertId("agent-down:agent-14"),))]


async def test_a_note_takes_its_words_from_the_bar() -> None:
    feed = FakeFeed()
    app = console(feed)
    async with running(app) as pilot:
        await press(pilot, "m")
        await until(pilot, lambda: bool(app.screen.query_one("#bar").display))
        await press(pilot, *"deploy", "enter")
        await until(pilot, lambda: len(feed.sent) == 1)
        assert feed.sent == [AddNote(text=Untrusted("deploy"))]


async def test_a_key_that_cannot_act_says_why() -> None:
    app = console(FakeFeed(can_act=False))
    async with running(app) as pilot:
        await press(pilot, "C")
        await until(pilot, lambda: "cordon the agent: this console is read-only" in text_of(app))


async def test_a_recording_never_sends() -> None:
    feed = FakeFeed(mode=Mode.REVIEW)
    app = console(feed)
    async with running(app) as pilot:
        for key in "TKCUYA":
            await press(pilot, key)
        assert app.run_command("cancel t-48220") is None
        await pilot.pause()
        assert feed.sent == []


async def test_the_actions_menu_tells_keys_and_reasons() -> None:
    app = console()
    async with running(app) as pilot:
        await press(pilot, "a")
        await until(pilot, lambda: "Actions - the plan" in text_of(app))
        assert "not cordoned" in text_of(app)
        await press(pilot, "C")
        await until(pilot, lambda: isinstance(app.screen, ConfirmBar))


# --- what comes from outside ---


async def test_hostile_lines_are_text() -> None:
    feed = FakeFeed(
        lines=[
            LogLine(
                received_at_ms=NOW_MS,
                source=agent_name(1),
                level=Level.INFO,
                text=Untrusted(payload),
            )
            for payload in payloads.ALL
        ]
    )
    app = console(feed)
    async with running(app, (120, 40)) as pilot:
        await press(pilot, "tab", "tab", "tab", "z")
        await until(pilot, lambda: "Fleet health" not in text_of(app))
        assert all(line.isprintable() for line in text_of(app).splitlines())
        assert feed.sent == []


async def test_a_new_critical_alert_is_a_toast_and_a_message() -> None:
    feed = FakeFeed()
    app = console(feed)
    async with running(app) as pilot:
        alert = Alert(
            id=AlertId("agent-down:agent-02"),
            severity=Severity.CRIT,
            subject="agent-02",
            text="down [/x]",
            raised_at_ms=NOW_MS,
        )
        feed.change_state(alerts={**feed.view().state.alerts, alert.id: alert})
        await until(pilot, lambda: "agent-02 down - 7: alerts" in text_of(app))
        await press(pilot, "at")
        await until(pilot, lambda: "Messages - 1" in text_of(app))
        assert "agent-02 down [/x]" in text_of(app), "the message has all of it"
        await press(pilot, "enter")
        await until(
            pilot,
            lambda: app.visible_screen is not None and app.visible_screen.place.view == "alerts",
        )


# --- taking out, leaving ---


async def test_copy_says_which_way_took_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FLEET_TUI_STATE_DIR", str(tmp_path))
    app = console()
    async with running(app) as pilot:
        await press(pilot, "c")
        kept = tmp_path / "clipboard.txt"
        await until(pilot, kept.exists)
        await until(pilot, lambda: "copied to" in text_of(app))
    assert kept.read_text().startswith("✗ unreachable agent-14 gpu us-e1")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


async def test_the_view_is_saved_as_text_and_picture(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FLEET_TUI_STATE_DIR", str(tmp_path))
    app = console()
    async with running(app) as pilot:
        shown = text_of(app)
        await press(pilot, "ctrl+s")
        saved = tmp_path / "saved"
        await until(pilot, lambda: len(list(saved.glob("*"))) == 2)
    (text,) = saved.glob("*.txt")
    (picture,) = saved.glob("*.svg")
    assert text.read_text().splitlines()[2:10] == shown.splitlines()[2:10]
    assert picture.read_text().startswith("<svg")


async def test_q_asks_before_it_leaves_and_escape_never_does() -> None:
    app = console()
    async with running(app) as pilot:
        await press(pilot, "escape")
        assert not isinstance(app.screen, ConfirmBar)
        await press(pilot, "q")
        await until(pilot, lambda: isinstance(app.screen, ConfirmBar))
        await press(pilot, "enter")
        await until(pilot, lambda: not isinstance(app.screen, ConfirmBar))
        await press(pilot, "q")
        await until(pilot, lambda: isinstance(app.screen, ConfirmBar))
        await pilot.press("y")
        await pilot.pause()
    assert app.return_code == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_signals_end_it_in_good_order(number: signal.Signals) -> None:
    feed = FakeFeed()
    app = console(feed)
    async with running(app) as pilot:
        os.kill(os.getpid(), number)
        await pilot.pause()
        await until(pilot, lambda: app.return_code is not None)
    assert app.return_code == 128 + number
    assert feed.is_closed


async def test_the_banner_is_hidden_by_escape() -> None:
    app = console(banner="Simulated fleet, nothing leaves this machine.")
    async with running(app) as pilot:
        assert "Simulated fleet" in text_of(app)
        await press(pilot, "escape")
        await until(pilot, lambda: "Simulated fleet" not in text_of(app))


def test_a_theme_that_does_not_exist_is_told() -> None:
    app = FleetApp(FakeFeed(), theme="pink", glyphs=UNICODE, env=COLOURFUL)
    assert app.theme == "fleet-dark"
    assert "there is no theme pink" in app.problem
