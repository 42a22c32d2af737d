"""Three real gateways behind a real sshd, thirty tasks, a gateway that crashes in the middle, and
the model's own books to compare with. What was watched live is then looked back at offline."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec import to_builtins
from msgspec.structs import replace

from fleet_tui.core.agents.model import Health
from fleet_tui.core.fleet import TaskClass
from fleet_tui.core.ids import TaskId, split_run_id
from fleet_tui.core.tasks.events import AttemptFinished, AttemptGivenUp, AttemptUnknown
from fleet_tui.core.tasks.model import AttemptPhase, TaskPhase
from fleet_tui.feed.attached import AttachedFeed
from fleet_tui.feed.feed import Feed, Link, View
from fleet_tui.feed.recorded import RecordedFeed
from fleet_tui.journal.recordings.importing import import_recording
from tests.acceptance.gateways import Books, by_task, fleet_of
from tests.acceptance.rig import MakeRig, Rig
from tests.support.console import at_rest, console, text_of
from tests.support.openclaw_lab import PRICES_USD_PER_MTOK, Gateway, OpenClawLab
from tests.support.stub_model import CACHED_TOKENS, INPUT_TOKENS, OUTPUT_TOKENS

pytestmark = [
    pytest.mark.openclaw,
    pytest.mark.sshd,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.xdist_group("openclaw"),
]

TASKS = 30
UP_WITHIN_S = 180.0
END_WITHIN_S = 240.0
TOKENS = INPUT_TOKENS + OUTPUT_TOKENS
COST_MICROUSD = round(
    (INPUT_TOKENS - CACHED_TOKENS) * PRICES_USD_PER_MTOK["input"]
    + CACHED_TOKENS * PRICES_USD_PER_MTOK["cacheRead"]
    + OUTPUT_TOKENS * PRICES_USD_PER_MTOK["output"]
)

TEXTS = (
    "[[sleep 2]] number {n}: plain words",
    '[[sleep 3]] number {n}: it\'s "quoted" and \\escaped\\',
    "[[sleep 2]] number {n}: $(touch pwned) `touch pwned` ${{HOME}}",
    "[[sleep 3]] number {n}: first line\nsecond line\n\nlast line",
    "[[sleep 2]] number {n}: 漢字 ☃ 👩\u200d🚀 --flag -n %s",
)


def victim(rig: Rig, lab: OpenClawLab, books: Books) -> Gateway | None:
    """A gateway in the middle of work of both classes, if there is one now."""
    for gateway in lab.gateways:
        runs = [
            task
            for task in rig.state().open_tasks.values()
            if (run := task.open_attempt) is not None
            and run.agent == gateway.name
            and run.phase is AttemptPhase.RUNNING
            and books.at_the_model(task)
        ]
        if {task.spec.task_class for task in runs} == {TaskClass.ONCE, TaskClass.IDEMPOTENT}:
            return gateway
    return None


async def crash_in_mid_work(rig: Rig, lab: OpenClawLab, books: Books) -> Counter[TaskId]:
    """Kill a gateway; start it again once the work that may move has moved. Returns the answers
    that were given in full to what it cut off: whether the gateway had kept one is chance."""
    await rig.until(lambda: victim(rig, lab, books) is not None, 120, "a gateway is busy")
    gateway = victim(rig, lab, books)
    assert gateway is not None
    gateway.kill()
    cut_off = {
        run.run_id
        for task in rig.state().open_tasks.values()
        if (run := task.open_attempt) is not None and run.agent == gateway.name
    }
    await rig.until(lambda: rig.agent(gateway.name).health is Health.DOWN, 60, "it is down")
    await rig.until(
        lambda: any(isinstance(r.event, AttemptGivenUp) for r in rig.events()), 60, "work moves"
    )
    given = {run: times for run, times in books.answered_runs().items() if run in cut_off}
    gateway.start()
    await rig.until(lambda: rig.agent(gateway.name).health is Health.UP, 120, "it is back")
    return by_task(Counter(given))


async def test_thirty_tasks_a_crash_the_books_and_the_recording(
    openclaw_lab: OpenClawLab, make_rig: MakeRig, short_dir: Path
) -> None:
    lab, rig = (
        openclaw_lab,
        fleet_of(make_rig, openclaw_lab, openclaw_lab.gateways, short_dir, every="1s"),
    )
    books = Books(lab.model)
    rig.start()
    live = Still(rig.directory, by="tester", read_only=True)
    async with watching(live) as screen:
        await rig.until(
            lambda: all(rig.agent(g.name).health is Health.UP for g in lab.gateways),
            UP_WITHIN_S,
            "all gateways are up",
        )
        texts = [TEXTS[n % len(TEXTS)].format(n=n) for n in range(TASKS)]
        # All at once: on a busy machine a command takes longer than a task does.
        lines = [
            json.dumps({"text": text, "class": "idempotent" if n % 2 else "once"})
            for n, text in enumerate(texts)
        ]
        await asyncio.to_thread(rig.submit, "\n".join(lines), "--lines")
        given = await crash_in_mid_work(rig, lab, books)
        await rig.until(
            lambda: not any(t.phase in _AT_WORK for t in rig.tasks()), END_WITHIN_S, "all tasks end"
        )
        check_books(rig, books, texts, given)
        stopped = await asyncio.to_thread(rig.cli, "stop", str(rig.file))
        assert stopped.returncode == 0, stopped.stderr.decode()
        assert rig.process is not None
        assert await asyncio.to_thread(rig.process.wait, 30) == 0
        rig.process = None
        live.stop_at(rig.events()[-1].at_ms)
        seen_live = await screen()

    recorded = RecordedFeed(await asyncio.to_thread(exported, rig))
    async with watching(recorded) as screen:
        seen_later = await screen()
        for state in (rig.state(), live.view().state):
            assert to_builtins(recorded.view().state) == to_builtins(state)
    assert same_screen(seen_later, seen_live), (seen_later, seen_live)
    for gateway in lab.gateways:
        assert any(gateway.name in line for line in seen_later)


_AT_WORK = {TaskPhase.WAITING, TaskPhase.ACTIVE}


def check_books(rig: Rig, books: Books, texts: list[str], given: Counter[TaskId]) -> None:
    """Every task ended once, and for what the model says. ``given`` are answers that a crash may
    have cost the fleet; where it did, the model was asked again, and nobody heard the first."""
    tasks, answered, all_unheard = rig.tasks(), books.answered(), 0
    lost = {r.event.run for r in rig.events() if isinstance(r.event, AttemptUnknown)}
    # Turns that a gateway went on with although the crash had cost it our text: answers to nothing.
    empty = Counter(
        split_run_id(r.event.run)[0]
        for r in rig.events()
        if isinstance(r.event, AttemptFinished) and r.event.failure == "text-lost"
    )
    assert [task.spec.payload.raw for task in tasks] == texts
    for task in tasks:
        text, unheard = (
            task.spec.payload.raw,
            answered[task.id] - task.cost_microusd // COST_MICROUSD,
        )
        assert 0 <= unheard <= given[task.id], (task.label, unheard, rig.summary())
        all_unheard += unheard
        times = answered[task.id] - unheard - empty[task.id]
        if task.phase is TaskPhase.NEEDS_OPERATOR:
            assert task.reason, rig.summary()
            assert task.spec.task_class is TaskClass.ONCE
            assert times <= 1
            continue
        if task.phase is TaskPhase.FAILED:
            assert task.spec.task_class is TaskClass.ONCE
            assert (empty[task.id], times) == (1, 0), rig.summary()
            assert not any(text in asked for asked in books.asked()), text
            continue
        assert task.phase is TaskPhase.SUCCEEDED, rig.summary()
        assert times == 1, (task.label, times, rig.summary())
        last = task.attempt
        assert last is not None
        first_line, *_ = text.split("\n")
        if last.run_id in lost:
            # The gateway went on after the crash, with a prompt of its own before our text.
            assert last.answer.text.raw.startswith("echo: ")
        else:
            assert last.answer.text.raw == f"echo: {first_line}"
        assert any(text in asked for asked in books.asked()), text
        assert last.usage.input_tokens == INPUT_TOKENS - CACHED_TOKENS
        assert last.usage.cache_read_tokens == CACHED_TOKENS
        assert last.usage.output_tokens == OUTPUT_TOKENS
        assert task.cost_microusd == COST_MICROUSD * (1 + empty[task.id])
    total = rig.state().totals
    assert total.submitted == TASKS
    assert total.tokens == (answered.total() - all_unheard) * TOKENS
    assert total.cost_microusd == (answered.total() - all_unheard) * COST_MICROUSD
    by_agent = [rig.agent(name).cost_microusd for name in rig.state().fleet.agents]
    assert sum(by_agent) == total.cost_microusd


def exported(rig: Rig) -> Path:
    """The ledger after a journey: exported by the command, imported from the file."""
    recording = rig.base / "session.fleetrec"
    done = rig.cli("export", str(rig.file), "-o", str(recording), "--json")
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout)["events"] == len(rig.events())
    imported = import_recording(recording, rig.base / "recordings")
    assert imported.intact
    return Path(imported.directory)


# --- screens ---


class Still(AttachedFeed):
    """A live feed whose clock can be stopped, for a screen that can be compared with another."""

    _at_ms: int | None = None
    _shown: tuple[View, View] | None = None

    def stop_at(self, at_ms: int) -> None:
        """From now on it is this instant, and nobody minds that the engine is gone."""
        self._at_ms = at_ms
        self._rung.set()

    def view(self) -> View:
        view = super().view()
        if self._at_ms is None:
            return view
        if self._shown is None or self._shown[0] is not view:
            still = replace(view, now_ms=self._at_ms, link=Link.ATTACHED, link_detail="")
            self._shown = (view, still)
        return self._shown[1]


@asynccontextmanager
async def watching(feed: Feed) -> AsyncIterator[Callable[[], Awaitable[list[str]]]]:
    """A console on the feed, and what is on its screen once nothing moves any more."""
    app = console(feed)
    async with app.run_test(size=(120, 40)) as pilot:

        async def screen() -> list[str]:
            while not at_rest(app):
                await pilot.pause(0.05)
            before: list[str] = []
            while (now := text_of(app).split("\n")) != before:
                before = now
                await pilot.pause(1.2)
            return now

        yield screen


def same_screen(one: list[str], other: list[str]) -> bool:
    """Whether two screens say the same. The mode word and the clock may differ, and with them how
    many numbers there is room for before them: those that both have must be equal."""
    numbers, others = (screen[0].split("│")[:-1] for screen in (one, other))
    common = min(len(numbers), len(others))
    assert common >= 3, (one[0], other[0])
    return numbers[:common] == others[:common] and one[1:] == other[1:]
