"""The header, the keys at the foot, charts and glyphs: what fits, and in which signs."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region

from fleet_tui.console.terminal.frame import FrameLimiter
from fleet_tui.console.text import glyphs
from fleet_tui.console.text.cells import Align, Cell, Tone
from fleet_tui.console.text.fit import fit
from fleet_tui.console.text.looks import agent_cell, attempt_cell, task_cell
from fleet_tui.console.widgets.lines import (
    ALWAYS_SHOWN,
    HeaderLine,
    KeyHint,
    KeysLine,
    OneLine,
    Part,
    changed,
)
from fleet_tui.console.widgets.paint import overlay
from fleet_tui.console.widgets.spark import chart_lines, resample
from fleet_tui.core.agents.words import AgentWord
from fleet_tui.core.tasks.model import AttemptPhase
from fleet_tui.core.tasks.words import TaskWord
from tests.support import payloads
from tests.support.screens import Bench, screen_lines, settle

HINTS = (
    KeyHint("enter", "open", "open", 90),
    KeyHint("/", "filter", "filter", 80),
    KeyHint("D", "drain", "drain", 20),
    KeyHint("?", "help", "help", 1),
    KeyHint("q", "back", "back", 1),
)


class Foot(Bench):
    def on_keys_line_chosen(self, message: KeysLine.Chosen) -> None:
        self.heard.append(message)


class Counting(OneLine):
    """A line that notes how often it repaints and re-lays out."""

    repaints = 0
    layouts = 0

    def refresh(
        self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False
    ) -> "Counting":
        self.repaints += 1
        self.layouts += layout
        super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)
        return self


@pytest.mark.parametrize(
    ("before", "after", "cells"),
    [
        ("q 9 up", "q 9 up", (0, 0)),
        ("q 9 up", "q 8 up", (1, 3)),
        ("q 9 up", "q 10 up", (1, 20)),
        ("", "x", (0, 20)),
        ("漢 9 up", "漢 8 up", (2, 4)),
    ],
)
def test_only_what_changed_of_a_line_is_repainted(
    before: str, after: str, cells: tuple[int, int]
) -> None:
    assert changed((Cell(before),), (Cell(after),), 20) == cells


def test_a_change_of_tone_is_a_change() -> None:
    before = (Cell("up "), Cell("3", Tone.DIM))
    after = (Cell("up "), Cell("3", Tone.ERROR))
    assert changed(before, after, 20) == (2, 4)


async def test_the_header_keeps_its_right_end_and_drops_the_least() -> None:
    header = HeaderLine()
    app = Bench(header)
    parts = [
        Part((Cell(" prod ", Tone.BADGE), Cell(" 17 up", Tone.OK)), 1_000),
        Part((Cell("queue 128"),), 50),
        Part((Cell("slots 41/80"),), 10),
    ]
    right = (Cell("3 alerts  ", Tone.ERROR), Cell("LIVE", Tone.OK))
    async with app.run_test(size=(80, 1)) as pilot:
        header.show_parts(parts, right)
        await settle(pilot)
        shown = screen_lines(app)[0]
        assert shown.startswith(" prod  17 up │ queue 128 │ slots 41/80  ")
        assert shown.endswith("  3 alerts  LIVE")
        assert len(shown) == 80
        await pilot.resize_terminal(42, 1)
        await settle(pilot)
        assert screen_lines(app)[0] == " prod  17 up │ queue 128    3 alerts  LIVE"
        await pilot.resize_terminal(20, 1)
        await settle(pilot)
        assert screen_lines(app)[0] == "      3 alerts  LIVE"


def test_the_foot_always_offers_help_and_the_way_out() -> None:
    keys = KeysLine()
    keys._hints = HINTS
    assert [hint.key for hint in keys.fitting(80)] == ["enter", "/", "D", "?", "q"]
    assert [hint.key for hint in keys.fitting(44)] == ["enter", "/", "?", "q"]
    assert [hint.key for hint in keys.fitting(20)] == ["?", "q"]
    assert [(hint.key, hint.label) for hint in keys.fitting(8)] == [("?", ""), ("q", "")]


@given(
    st.lists(
        st.builds(KeyHint, st.sampled_from("abc/DX"), st.text("xyz ", max_size=9), st.just("a")),
        max_size=9,
    ),
    st.integers(4, 200),
)
def test_whatever_the_width_the_foot_fits(hints: list[KeyHint], width: int) -> None:
    keys = KeysLine()
    keys._hints = (*hints, *HINTS[-2:])
    assert {hint.action for hint in keys.fitting(width)} >= ALWAYS_SHOWN
    assert sum(cell_len(cell.text) for cell in keys.line(width)) <= width


async def test_a_click_on_a_key_is_told() -> None:
    keys = KeysLine()
    app = Foot(keys)
    async with app.run_test(size=(80, 1)) as pilot:
        keys.show_hints(HINTS)
        await settle(pilot)
        shown = screen_lines(app)[0]
        assert shown == " enter open  / filter  D drain  ? help  q back"
        await pilot.click(keys, offset=(shown.index("drain"), 0))
        await pilot.click(keys, offset=(shown.index("?"), 0))
        await pilot.click(keys, offset=(79, 0))
        await settle(pilot)
        assert [m.hint.action for m in app.kinds(KeysLine.Chosen)] == ["drain", "help"]


async def test_the_same_line_is_not_painted_again_and_never_laid_out() -> None:
    line = Counting()
    app = Bench(line)
    async with app.run_test(size=(40, 2)) as pilot:
        line.show((Cell("one"),))
        await settle(pilot)
        line.repaints = line.layouts = 0
        line.show((Cell("one"),))
        assert line.repaints == 0
        line.show((Cell("two"),))
        assert (line.repaints, line.layouts) == (1, 0)
        await settle(pilot)
        assert screen_lines(app)[0] == "two"


async def test_even_a_cell_that_nobody_made_safe_is_painted_safe() -> None:
    line = OneLine()
    app = Bench(line)
    async with app.run_test(size=(40, 2)) as pilot:
        for payload in payloads.ALL:
            line.show((Cell(payload),))
            await pilot.pause()
            assert screen_lines(app)[0].isprintable()


@given(st.text(st.sampled_from("ab漢é\u0301 "), max_size=30), st.integers(0, 40))
def test_a_text_fits_its_column_exactly(text: str, width: int) -> None:
    for align in Align:
        assert cell_len(fit(text, width, align)) == width


@given(
    st.lists(st.text("abc", min_size=1, max_size=5), max_size=5),
    st.lists(st.integers(0, 40), max_size=6, unique=True).map(sorted),
)
def test_laying_over_changes_no_text(texts: list[str], edges: list[int]) -> None:
    spans = list(zip(edges[::2], edges[1::2], strict=False))
    painted = overlay([Segment(text, Style()) for text in texts], spans, Style(bold=True))
    whole = "".join(texts)
    assert "".join(part.text for part in painted) == whole
    bold = [bool(part.style and part.style.bold) for part in painted for _ in part.text]
    assert bold == [any(a <= at < b for a, b in spans) for at in range(len(whole))]


# --- charts ---

VALUES = st.lists(st.floats(0, 1e9), max_size=200)


@given(VALUES, st.integers(0, 60), st.integers(1, 4), st.sampled_from(glyphs.Ramp))
def test_a_chart_is_as_large_as_asked(
    values: list[float], width: int, height: int, ramp: glyphs.Ramp
) -> None:
    signs = glyphs.ASCII if ramp is glyphs.Ramp.ASCII else glyphs.UNICODE
    drawn = chart_lines(values, width, height, glyphs=signs, ramp=ramp)
    assert len(drawn) == height
    assert all(cell_len(line) == width for line in drawn)
    if ramp is glyphs.Ramp.ASCII:
        assert all(line.isascii() for line in drawn)
    if width and any(values):
        assert any(line.strip() for line in drawn)


def test_charts_in_three_ramps() -> None:
    values = [0, 1, 2, 3, 4, 5, 6, 7, 8]
    assert chart_lines(values, 9) == (" ▁▂▃▄▅▆▇█",)
    assert chart_lines(values, 9, glyphs=glyphs.ASCII) == (" _.:-=+*#",)
    assert chart_lines([4, 4, 0, 2], 2, ramp=glyphs.Ramp.BRAILLE) == ("⣿⢠",)
    assert chart_lines([8, 16], 2, 2) == (" █", "██")
    assert chart_lines([1], 4) == ("   █",)
    assert chart_lines([5, 5], 2, high=10) == ("▄▄",)
    assert chart_lines([], 3) == ("   ",)


@given(VALUES, st.integers(1, 50))
def test_a_spike_survives_a_narrow_chart(values: list[float], count: int) -> None:
    kept = resample(values, count)
    assert len(kept) == min(count, len(values))
    if values:
        assert max(kept) == max(values)


# --- glyphs ---


@pytest.mark.parametrize(
    ("env", "wanted", "name"),
    [
        ({"LANG": "en_US.UTF-8", "TERM": "xterm-256color"}, "auto", "unicode"),
        ({"LANG": "C.UTF-8"}, "auto", "unicode"),
        ({}, "auto", "unicode"),
        ({"TERM": "linux", "LANG": "en_US.UTF-8"}, "auto", "ascii"),
        ({"LANG": "ja_JP.UTF-8"}, "auto", "ascii"),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "C"}, "auto", "ascii"),
        ({"LANG": "de_DE.ISO-8859-1"}, "auto", "ascii"),
        ({"TERM": "linux"}, "unicode", "unicode"),
        ({"LANG": "en_US.UTF-8"}, "ascii", "ascii"),
    ],
)
def test_the_terminal_chooses_the_signs(env: dict[str, str], wanted: str, name: str) -> None:
    assert glyphs.choose(env, wanted).is_ascii is (name == "ascii")


def test_every_sign_is_one_cell_and_ascii_is_ascii() -> None:
    for signs in (glyphs.UNICODE, glyphs.ASCII):
        every = [*signs.signs.values(), *signs.steps, signs.full, signs.empty, signs.rising]
        every += [signs.steady, signs.falling, signs.sort_descending, signs.sort_ascending]
        every += [signs.separator, signs.arrow, signs.marked, signs.rule]
        assert all(cell_len(sign) == 1 for sign in every)
        assert signs is glyphs.UNICODE or all(sign.isascii() for sign in every)
        assert set(signs.signs) == set(glyphs.Sign)
        assert len(set(signs.signs.values())) == len(glyphs.Sign)


def test_states_and_bars() -> None:
    assert agent_cell(glyphs.UNICODE, AgentWord.DOWN) == Cell("✗ down", Tone.ERROR)
    assert agent_cell(glyphs.ASCII, AgentWord.DRAINING) == Cell("~ draining", Tone.BUSY)
    assert task_cell(glyphs.UNICODE, TaskWord.UNKNOWN) == Cell("? unknown", Tone.WARN)
    assert attempt_cell(glyphs.UNICODE, AttemptPhase.FENCED) == Cell("◌ fenced", Tone.DIM)
    assert glyphs.UNICODE.slots(3, 4) == "███░ 3/4"
    assert glyphs.ASCII.slots(0, 4) == ".... 0/4"
    assert glyphs.UNICODE.bar(1, 1_000, 4) == "█░░░"
    assert glyphs.UNICODE.bar(999, 1_000, 4) == "███░"
    assert glyphs.UNICODE.bar(9, 4, 4) == "████"
    assert glyphs.UNICODE.bar(1, 0, 4) == "█░░░"
    assert glyphs.UNICODE.spark([0, 7]) == "▁█"


# --- frames ---


async def test_many_requests_make_one_painting_and_a_command_does_not_wait() -> None:
    painted = 0

    def paint() -> None:
        nonlocal painted
        painted += 1

    limiter = FrameLimiter(paint, frame_ms=60_000)
    limiter.request()
    seen = [painted]
    for _ in range(100):
        limiter.request()
    seen.append(painted)
    waiting = [limiter.is_waiting]
    limiter.now()
    seen.append(painted)
    waiting.append(limiter.is_waiting)
    limiter.request()
    limiter.stop()
    waiting.append(limiter.is_waiting)
    seen.append(painted)
    assert seen == [1, 1, 2, 2]
    assert waiting == [True, False, False]


async def test_a_waiting_request_is_painted_with_the_next_frame() -> None:
    done = asyncio.Event()
    painted = 0

    def paint() -> None:
        nonlocal painted
        painted += 1
        if painted == 2:
            done.set()

    limiter = FrameLimiter(paint, frame_ms=5)
    limiter.request()
    limiter.request()
    await asyncio.wait_for(done.wait(), 10)
    assert painted == 2


async def test_what_waits_comes_with_the_frames_that_are_set_meanwhile() -> None:
    painted: list[bool] = []
    limiter = FrameLimiter(lambda: painted.append(True), frame_ms=60_000)
    limiter.set_frame(3_600_000)
    seen = [(len(painted), limiter.is_waiting)]
    limiter.request()
    limiter.request()
    limiter.set_frame(60_000)
    seen.append((len(painted), limiter.is_waiting))
    limiter.set_frame(0)
    seen.append((len(painted), limiter.is_waiting))
    assert seen == [(0, False), (1, True), (2, False)]
