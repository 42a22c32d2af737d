"""The colours: readable, told apart by any eyes, and the right ones for the terminal."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
from textual.app import App, ComposeResult
from textual.color import Color

from fleet_tui.base import bundled
from fleet_tui.config import reader
from fleet_tui.console.shell import themes
from fleet_tui.console.text.cells import Cell, Tone
from fleet_tui.console.widgets.lines import OneLine

SHIPPED = ("fleet-contrast", "fleet-dark", "fleet-light")

# Machado, Oliveira, Fernandes 2009, severity 1.0, on linear RGB.
BLINDNESS = {
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}


def palette(name: str) -> themes.ThemeColours:
    file = bundled.themes() / f"{name}.yaml"
    source = reader.decode(str(file), file.read_bytes())
    found = themes.read_palette(source)
    assert found is not None, source.problems
    assert not source.problems, source.problems
    return found


def linear(color: str) -> tuple[float, ...]:
    parts = [part / 255 for part in Color.parse(color).rgb]
    return tuple(p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)


def lab(rgb: tuple[float, ...]) -> tuple[float, float, float]:
    r, g, b = (min(1.0, max(0.0, part)) for part in rgb)
    xyz = (
        (0.4124564 * r + 0.3575761 * g + 0.1804375 * b) / 0.95047,
        0.2126729 * r + 0.7151522 * g + 0.0721750 * b,
        (0.0193339 * r + 0.1191920 * g + 0.9503041 * b) / 1.08883,
    )
    x, y, z = (c ** (1 / 3) if c > 0.008856 else 7.787 * c + 16 / 116 for c in xyz)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def seen_by(color: str, blindness: str) -> tuple[float, float, float]:
    rgb = linear(color)
    return lab(
        tuple(sum(m * c for m, c in zip(row, rgb, strict=True)) for row in BLINDNESS[blindness])
    )


def difference(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    return math.dist(one, other)


def on_grid(color: str) -> bool:
    r, g, b = Color.parse(color).rgb
    cube = {0x00, 0x5F, 0x87, 0xAF, 0xD7, 0xFF}
    return {r, g, b} <= cube or (r == g == b and (r - 8) % 10 == 0 and 8 <= r <= 238)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_theme_is_read_without_a_word(name: str) -> None:
    assert palette(name).name == name


def test_the_shipped_files_are_the_ones_tested() -> None:
    assert sorted(file.stem for file in bundled.themes().glob("*.yaml")) == list(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("role", themes.TEXT_FIELDS)
def test_text_can_be_read_on_every_background(name: str, role: str) -> None:
    found = palette(name)
    color = getattr(found, role)
    assert themes.contrast(color, found.background) >= themes.MIN_CONTRAST
    assert themes.contrast(color, found.surface) >= 4.0


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("blindness", BLINDNESS)
def test_ok_warn_and_error_differ_for_any_eyes(name: str, blindness: str) -> None:
    found = palette(name)
    states = [found.ok, found.warn, found.error]
    for at, one in enumerate(states):
        for other in states[at + 1 :]:
            assert difference(seen_by(one, blindness), seen_by(other, blindness)) >= 23.5


@pytest.mark.parametrize("name", SHIPPED)
def test_every_colour_exists_among_256(name: str) -> None:
    found = palette(name)
    assert dict.fromkeys(themes.COLOR_FIELDS, True) == {
        c: on_grid(getattr(found, c)) for c in themes.COLOR_FIELDS
    }


def test_the_figures_of_contrast_are_wcags() -> None:
    assert themes.contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert themes.contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


ALL = {"fleet-dark": 0, "fleet-light": 0, "fleet-contrast": 0, "fleet-ansi": 0, "fleet-mono": 0}


@pytest.mark.parametrize(
    ("env", "wanted", "name", "ansi"),
    [
        ({"TERM": "xterm-256color"}, "auto", "fleet-dark", None),
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, "auto", "fleet-dark", None),
        ({"TERM": "xterm"}, "auto", "fleet-ansi", True),
        ({"TERM": "linux"}, "auto", "fleet-ansi", True),
        ({"TERM": "screen"}, "auto", "fleet-ansi", True),
        ({"TERM": "xterm-256color", "COLORFGBG": "0;15"}, "auto", "fleet-light", None),
        ({"TERM": "xterm-256color", "COLORFGBG": "15;0"}, "auto", "fleet-dark", None),
        ({"TERM": "xterm-256color", "COLORFGBG": "nonsense"}, "auto", "fleet-dark", None),
        ({"TERM": "xterm", "NO_COLOR": ""}, "auto", "fleet-mono", True),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, "fleet-light", "fleet-mono", True),
        ({"TERM": "xterm"}, "fleet-contrast", "fleet-contrast", None),
        ({"TERM": "xterm-256color"}, "fleet-ansi", "fleet-ansi", True),
    ],
)
def test_the_terminal_and_the_operator_choose(
    env: dict[str, str], wanted: str, name: str, ansi: bool | None
) -> None:
    choice = themes.choose(env, wanted, known=ALL)
    assert (choice.name, choice.ansi_color) == (name, ansi)


def test_an_unknown_theme_is_said_and_replaced() -> None:
    choice = themes.choose({"TERM": "xterm-256color"}, "fleet-drak", known=ALL)
    assert choice.name == "fleet-dark"
    assert "fleet-drak" in choice.problem
    assert "fleet-contrast" in choice.problem


GOOD = (Path(__file__).parents[2] / "themes" / "fleet-dark.yaml").read_text()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (GOOD.replace('"#87ffaf"', "greenish"), "not a colour"),
        (GOOD.replace("muted:", "mooted:"), "not a part of a theme"),
        (GOOD.replace("dark: true", "dark: maybe"), "true or false"),
        (GOOD.replace('warn: "#ffaf00"\n', ""), "warn is missing"),
        (GOOD.replace("name: fleet-dark", "name: '../x'"), "lower-case letters"),
        (GOOD, "is taken"),
        ("just text", "a list of names and colours"),
        ("a: [1, 2", "not valid YAML"),
        ("", "a list of names and colours"),
        ("name: &a x\ndark: *a\n", "anchor"),
        (GOOD.replace("fleet-dark", "mine").replace('"#87ffaf"', '"#303030"'), "hard to read"),
    ],
)
def test_a_theme_that_is_not_right_is_reported_and_never_fatal(
    tmp_path: Path, text: str, says: str
) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    loaded = themes.load(bundled.themes(), tmp_path)
    assert {*SHIPPED, "fleet-ansi", "fleet-mono"} <= set(loaded.themes)
    assert says in " ".join(f"{p.message} {p.hint}" for p in loaded.problems)
    assert all(p.file.endswith("mine.yaml") for p in loaded.problems)


def test_every_problem_of_a_theme_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("name: mine\ndark: no\nok: green\nerror: red\n")
    problems = themes.load(bundled.themes(), tmp_path).problems
    assert len(problems) >= 10
    assert {2, 3, 4} <= {p.line for p in problems}


def test_a_theme_of_ones_own_is_added(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(GOOD.replace("name: fleet-dark", "name: mine"))
    loaded = themes.load(bundled.themes(), tmp_path)
    assert not loaded.problems
    assert loaded.themes["mine"].success == "#87ffaf"


def test_a_file_that_cannot_be_read_or_is_huge_is_reported(tmp_path: Path) -> None:
    (tmp_path / "dir.yaml").mkdir()
    (tmp_path / "huge.yaml").write_text("#" * (themes.MAX_THEME_BYTES + 1))
    (tmp_path / "latin.yaml").write_bytes(b"name: \xe9\n")
    loaded = themes.load(bundled.themes(), tmp_path)
    assert len(loaded.problems) == 3
    assert "fleet-dark" in loaded.themes


def test_where_own_themes_are() -> None:
    assert themes.own_themes({"XDG_CONFIG_HOME": "/c"}) == Path("/c/fleet-tui/themes")
    assert themes.own_themes({"HOME": "/h"}) == Path("/h/.config/fleet-tui/themes")
    assert themes.own_themes({"HOME": "/h", "XDG_CONFIG_HOME": "relative"}) == Path(
        "/h/.config/fleet-tui/themes"
    )


class Sample(App[None]):
    """A line in every tone."""

    def __init__(self, loaded: themes.LoadedTheme, choice: themes.ThemeChoice) -> None:
        super().__init__(ansi_color=choice.ansi_color)
        themes.install(self, loaded, choice.name)

    def compose(self) -> ComposeResult:
        yield OneLine(tuple(Cell(f" {tone} ", tone) for tone in Tone))


@pytest.mark.parametrize("name", [*SHIPPED, "fleet-ansi", "fleet-mono"])
async def test_every_theme_can_be_worn_and_changed_while_running(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    loaded = themes.load(bundled.themes())
    app = Sample(loaded, themes.choose({"TERM": "xterm-256color"}, name, known=loaded.themes))
    async with app.run_test() as pilot:
        for other in loaded.themes:
            themes.install(app, loaded, other)
            await pilot.pause()
            assert app.theme == other
            assert app.native_ansi_color == loaded.themes[other].ansi


async def test_a_theme_that_differs_in_one_tone_alone_is_painted_anew() -> None:
    loaded = themes.load(bundled.themes())
    other = replace(loaded.themes["fleet-dark"], name="other", success="#123456")
    loaded = replace(loaded, themes={**loaded.themes, other.name: other})
    app = Sample(
        loaded, themes.choose({"TERM": "xterm-256color"}, "fleet-dark", known=loaded.themes)
    )

    def painted() -> list[object]:
        strip = app.screen._compositor.render_strips()[0]
        return [style.color.triplet for _, style, _ in strip if style and style.color]

    async with app.run_test() as pilot:
        before = painted()
        themes.install(app, loaded, other.name)
        await pilot.pause()
        anew = painted()
        assert Color.parse("#123456").rich_color.triplet in anew
        assert len([1 for one, two in zip(before, anew, strict=True) if one != two]) == 1


async def test_without_colour_nothing_is_coloured_and_meaning_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    loaded = themes.load(bundled.themes())
    app = Sample(loaded, themes.choose({"NO_COLOR": "1"}, known=loaded.themes))
    async with app.run_test() as pilot:
        line = app.query_one(OneLine)
        themes.install(app, loaded, "fleet-dark")
        await pilot.pause()
        assert app.theme == "fleet-mono"
        styles = {tone: line.tone_style(tone) for tone in Tone}
        assert styles[Tone.ERROR].bold
        assert styles[Tone.ERROR].reverse
        assert styles[Tone.WARN].bold
        assert styles[Tone.CURSOR].reverse
        for strip in line.render_lines(line.size.region):
            for _, style, _ in strip.apply_filter(app._filters[-1], Color.parse("black")):
                assert style is not None
                assert style.color is None or style.color.is_default
                assert style.bgcolor is None or style.bgcolor.is_default
