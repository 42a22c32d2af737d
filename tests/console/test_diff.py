"""What changed between two moments, on screen."""

import pytest
from msgspec.structs import replace

from fleet_tui.console.shell.app import FleetApp
from fleet_tui.console.shell.places import Place
from fleet_tui.console.shell.screen import FleetScreen
from fleet_tui.console.text.document import Pen, Target, plain
from fleet_tui.console.text.glyphs import ASCII
from fleet_tui.console.views.diff.rows import MAX_ROWS, diff_sections
from fleet_tui.console.views.diff.screen import DiffScreen
from fleet_tui.console.views.diff.span import Span
from fleet_tui.core.agents.model import AgentState, Health
from fleet_tui.core.alerting.model import Alert, Severity
from fleet_tui.core.diff import Moments
from fleet_tui.core.fleet import CommandAgent
from fleet_tui.core.ids import AgentName, AlertId
from fleet_tui.core.ledger.state import EMPTY_STATE, FleetState
from tests.support.console import console, press, running, text_of, until
from tests.support.fake_feed import FakeFeed
from tests.support.fleets import agent, fleet
from tests.support.scene import NOW_MS, agent_name, seeded_state

MINUTE_MS = 60_000


def moments(before: FleetState, after: FleetState) -> Moments:
    return Moments(before=before, after=after, before_ms=NOW_MS - 15 * MINUTE_MS, after_ms=NOW_MS)


def fleet_of(count: int, health: Health) -> FleetState:
    names = [AgentName(f"a{n}") for n in range(count)]
    return replace(EMPTY_STATE, agents={n: AgentState(name=n, health=health) for n in names})


def test_a_change_is_a_row_whose_agent_can_be_opened() -> None:
    lost = replace(
        fleet_of(1, Health.DOWN),
        alerts={
            AlertId("i"): Alert(
                id=AlertId("i"), severity=Severity.CRIT, subject="a0", text="down for 3m"
            )
        },
    )
    sections = diff_sections(moments(fleet_of(1, Health.UP), lost), Pen(ASCII))
    assert [section.title for section in sections] == ["", "Alerts: 1", "Agents: 1"]
    shown = [" ".join(line.split()) for line in plain(sections)]
    assert shown[0].endswith("15m00s")
    assert "a0 - > crit down for 3m" in shown
    assert "a0 state up > down" in shown
    assert sections[2].lines[0].target == Target(agent=AgentName("a0"))
    assert sections[1].lines[0].target is None


def test_nothing_changed() -> None:
    (section,) = diff_sections(moments(EMPTY_STATE, EMPTY_STATE), Pen())
    assert plain([section])[1].strip() == "Nothing changed between the two."


def test_a_secret_of_the_fleet_file_is_not_shown() -> None:
    token = "glpat-" + "Ab3dEf6hIj9lMn2pQr5t"
    states = [
        replace(EMPTY_STATE, fleet=fleet(replace(agent("a1"), kind=CommandAgent(command=(word,)))))
        for word in ("cat", token)
    ]
    shown = "\n".join(plain(diff_sections(moments(*states), Pen())))
    assert "agents.a1.kind.command" in shown
    assert token not in shown


def test_what_changed_alike_is_one_row() -> None:
    sections = diff_sections(moments(fleet_of(6, Health.UP), fleet_of(6, Health.DOWN)), Pen(ASCII))
    assert sections[1].title == "Agents: 6"
    assert plain([sections[1]])[1:] == [" a0 and 5 more  state  up  >  down"]
    assert sections[1].lines[0].target is None


def test_of_very_many_the_first_are_shown_and_the_others_counted() -> None:
    many = MAX_ROWS + 7
    before, after = fleet_of(many, Health.UP), fleet_of(many, Health.UP)
    runs = {n: replace(a, succeeded=at) for at, (n, a) in enumerate(after.agents.items(), 1)}
    sections = diff_sections(moments(before, replace(after, agents=runs)), Pen())
    assert sections[1].title == f"Runs ended, by agent: {many}"
    assert len(sections[1].lines) == MAX_ROWS + 1
    assert plain([sections[1]])[-1].strip() == "and 7 more"


def test_a_span_is_what_its_subject_says() -> None:
    span = Span(1, 2)
    assert Span.of(span.subject) == span
    assert span.until(1) == Span(1, 1)
    assert [Span.of(text) for text in ("", "1..", "..2", "agent-01", "-1..2", "a..b")] == [None] * 6


async def test_a_place_without_two_moments_says_so() -> None:
    app = console()
    async with running(app) as pilot:
        app.go(Place("diff", "agent-01"))
        await until(
            pilot, lambda: "Expected two moments, such as :diff 11:50 12:00" in text_of(app)
        )


def here(app: FleetApp) -> Place:
    """The place in view."""
    screen = app.visible_screen
    assert isinstance(screen, FleetScreen)
    return screen.place


def span_of(app: FleetApp) -> Span:
    """What is compared in view."""
    span = Span.of(here(app).subject)
    assert span is not None
    return span


def changed_feed() -> FakeFeed:
    """The scene, in which agent-02 was down a while ago."""
    feed, state = FakeFeed(), seeded_state()
    name = agent_name(2)
    feed.earlier = replace(
        state, agents={**state.agents, name: replace(state.agents[name], health=Health.DOWN)}
    )
    return feed


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_the_key_compares_the_window_of_the_charts(size: tuple[int, int]) -> None:
    app = console(changed_feed())
    async with running(app, size) as pilot:
        await press(pilot, "equals_sign")
        await until(pilot, lambda: "Agents: 1" in text_of(app), "compared")
        assert here(app).view == "diff"
        assert span_of(app) == Span(NOW_MS - app.window_ms, NOW_MS)
        shown = " ".join(text_of(app).split())
        assert "agent-02 state down" in shown
        await press(pilot, "j", "j", "enter")
        assert (here(app).view, here(app).subject) == ("agent", "agent-02")
        await press(pilot, "escape", "escape")
        assert here(app).view == "overview"


async def test_on_an_alert_it_compares_what_was_before_it() -> None:
    feed = changed_feed()
    app = console(feed)
    async with running(app) as pilot:
        await press(pilot, "7", "equals_sign")
        alerts = feed.view().state.alerts.values()
        raised = {alert.raised_at_ms for alert in alerts}
        span = span_of(app)
        assert span.after_ms in raised
        assert span.after_ms - span.before_ms == 15 * MINUTE_MS


async def test_times_are_typed() -> None:
    app = console(changed_feed())
    async with running(app) as pilot:
        for typed, span_ms in (("diff 2h", 120 * MINUTE_MS), ("diff 2h 90m", 30 * MINUTE_MS)):
            await press(pilot, "colon", *typed, "enter")
            span = span_of(app)
            assert span.after_ms - span.before_ms == span_ms
        for typed, said in (
            ("diff", "from which time?"),
            ("diff soon", "soon is not a time"),
            ("diff 3h 2h 1h", "two times at most"),
        ):
            assert said in await press(pilot, "colon", *typed, "enter")
            await press(pilot, "escape")


async def test_in_a_recording_nothing_later_than_the_cursor_is_compared() -> None:
    feed = changed_feed()
    app = console(feed)
    async with running(app) as pilot:
        app.go(Place("diff", Span(NOW_MS - MINUTE_MS, NOW_MS + MINUTE_MS).subject))
        await until(pilot, lambda: isinstance(app.visible_screen, DiffScreen))
        asked: list[tuple[int, int]] = []
        found = feed.moments

        async def noted(before_ms: int, after_ms: int) -> Moments:
            asked.append((before_ms, after_ms))
            return await found(before_ms, after_ms)

        feed.moments = noted  # type: ignore[method-assign]  # to see what is asked
        feed.tick(10_000)
        await until(pilot, lambda: bool(asked))
        assert asked == [(NOW_MS - MINUTE_MS, NOW_MS + 10_000)]
