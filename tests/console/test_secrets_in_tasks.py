"""What looks like a secret in a task is delivered and never shown."""

from msgspec.structs import replace

from fleet_tui.console.shell.places import Place
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.tasks.model import Task, TaskSpec
from fleet_tui.core.text.untrusted import Untrusted
from tests.support.console import at_rest, console, press, running, text_of, until
from tests.support.fake_feed import FakeFeed
from tests.support.scene import seeded_state

CANARY = "CANARYcanary0123456789"


def with_secret(task: Task) -> Task:
    spec = replace(task.spec, payload=Untrusted(f"use sk-{CANARY} there"))
    return replace(task, spec=spec)


def leaky() -> FleetState:
    state = seeded_state()
    shelves = {
        name: {key: with_secret(task) for key, task in getattr(state, name).items()}
        for name in ("open_tasks", "closed_tasks", "dead_letters")
    }
    return replace(state, **shelves)


def test_the_beginning_that_lines_show_is_enough_to_know_a_secret_by_its_shape() -> None:
    spec = TaskSpec(payload=Untrusted(f"{'x' * 500} sk-{CANARY}{'y' * 10_000}"))
    assert CANARY not in spec.shown.raw
    assert CANARY in spec.payload.raw


async def test_no_screen_shows_it() -> None:
    state = leaky()
    asked = next(t for t in state.open_tasks.values() if t.phase.value == "needs-operator")
    app, seen = console(FakeFeed(state=state)), ""
    async with running(app, (200, 60)) as pilot:
        for place in (
            Place("overview"),
            Place("tasks"),
            Place("task", asked.id),
            Place("why", asked.id),
            Place("dead"),
        ):
            app.go(place)
            await until(pilot, lambda: at_rest(app))
            seen += text_of(app)
            for keys in (("V",), ("Y",), ("c",)):
                await press(pilot, *keys)
                await until(pilot, lambda: at_rest(app))
                seen += text_of(app)
                await press(pilot, "escape")
                await until(pilot, lambda: at_rest(app))
    assert CANARY not in seen
    assert seen.count("[redacted:api-key]") >= 4
