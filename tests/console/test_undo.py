"""Taking back in the console what was done last in it."""

from fleet_tui.console.widgets.dialogs import ConfirmBar
from fleet_tui.core.agents.commands import Cordon, Uncordon
from fleet_tui.core.ids import AgentName, PoolName
from fleet_tui.core.ledger.base import Made
from fleet_tui.core.ledger.refusals import RefusalCode
from fleet_tui.core.ledger.replies import Refused
from fleet_tui.core.plans import Impact, PoolLeft
from tests.support.console import console, press, running, text_of, until
from tests.support.fake_feed import FakeFeed
from tests.support.scene import agent_name


async def test_what_was_done_last_is_taken_back_and_done_again() -> None:
    feed = FakeFeed()
    app = console(feed)
    one = (AgentName("agent-12"),)
    async with running(app) as pilot:
        await press(pilot, "Z")
        nothing = "no action in this console can be undone"
        await until(pilot, lambda: any(nothing in notice.text for notice in app.notices))
        assert app.run_command("cordon agent-12") is None
        await until(pilot, lambda: isinstance(app.screen, ConfirmBar))
        await press(pilot, "y")
        await until(pilot, lambda: "cordoned: agent-12. Z undoes" in text_of(app))
        assert "Undo: uncordon agent-12? y/N" in await press(pilot, "Z")
        await press(pilot, "y")
        await until(pilot, lambda: "undone: uncordon agent-12. Z redoes it" in text_of(app))
        assert "Undo: cordon agent-12? No new work. 4 running" in await press(pilot, "Z")
        await press(pilot, "y")
        await until(pilot, lambda: len(feed.sent) == 3)
        made = Made(by="ops", at_ms=feed.view().now_ms)
        back = Uncordon(agents=one, cordoned=made)
        assert feed.sent == [Cordon(agents=one), back, Cordon(agents=one)]
        assert feed.shown[0] == Impact(
            agents=1, pools=(PoolLeft(pool=PoolName("gpu"), agents=4, serving=3, left=2),)
        )


async def test_a_probe_is_nothing_that_is_taken_back() -> None:
    feed = FakeFeed()
    app = console(feed)
    async with running(app) as pilot:
        assert app.run_command("cordon agent-12") is None
        await until(pilot, lambda: isinstance(app.screen, ConfirmBar))
        await press(pilot, "y")
        await until(pilot, lambda: "Z undoes" in text_of(app))
        assert app.run_command("probe agent-01") is None
        await until(pilot, lambda: len(feed.sent) == 2)
        said = [f"being probed: {agent_name(1)}"]
        await until(pilot, lambda: [n.text for n in app.notices][-1:] == said)
        assert app.undo


async def test_an_undo_that_was_refused_is_tried_again() -> None:
    feed = FakeFeed()
    app = console(feed)
    async with running(app) as pilot:
        assert app.run_command("cordon agent-12") is None
        await until(pilot, lambda: isinstance(app.screen, ConfirmBar))
        await press(pilot, "y")
        await until(pilot, lambda: bool(app.undo))
        taken_back = app.undo
        feed.next_reply = Refused(code=RefusalCode.NO_REPLY, text="The engine broke off.")
        await press(pilot, "Z", "y")
        await until(pilot, lambda: "The engine broke off." in text_of(app))
        await until(pilot, lambda: app.undo == taken_back)
        await press(pilot, "Z", "y")
        await until(pilot, lambda: "undone: uncordon agent-12" in text_of(app))


async def test_what_was_taken_back_by_somebody_else_is_not_taken_back_again() -> None:
    feed = FakeFeed()
    app = console(feed)
    async with running(app) as pilot:
        assert app.run_command("cordon agent-12") is None
        await until(pilot, lambda: isinstance(app.screen, ConfirmBar))
        await press(pilot, "y")
        await until(pilot, lambda: "Z undoes" in text_of(app))
        feed.change_agent(AgentName("agent-12"), cordon=None)
        await until(pilot, lambda: app.view.state.agents[AgentName("agent-12")].cordon is None)
        await press(pilot, "Z")
        await until(pilot, lambda: "agent-12 is not cordoned." in text_of(app))
        assert len(feed.sent) == 1
