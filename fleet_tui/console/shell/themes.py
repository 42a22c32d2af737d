"""Colours as data: reads ``themes/*.yaml``, and chooses a theme that the terminal can show.

Two themes are not files: ``fleet-ansi`` uses the terminal's own 16 colours, ``fleet-mono`` none at
all. An invalid theme of the operator is reported and left out, never fatal.

Textual decides in the App's constructor whether colours are filtered, so the choice comes first::

    choice = themes.choose(os.environ, wanted, known=loaded.themes)
    App.__init__(self, ansi_color=choice.ansi_color)
    themes.install(self, loaded, choice.name)
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TypeVar

from textual.app import App
from textual.color import Color
from textual.theme import Theme

from fleet_tui.config import reader
from fleet_tui.config.problems import Position, Problem, Source

MAX_USER_THEMES = 50
MAX_THEME_BYTES = 65_536
MIN_CONTRAST = 4.5
"""WCAG 2.1's minimum for text (success criterion 1.4.3)."""

_Result = TypeVar("_Result")

_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True, kw_only=True)
class ThemeColours:
    """One theme file. Every colour is ``#rrggbb``."""

    name: str
    dark: bool
    background: str
    surface: str
    """Behind bars and cards."""
    panel: str
    """Behind a selection without the focus."""
    boost: str
    """Behind marked rows."""
    foreground: str
    muted: str
    """Stale or lesser text."""
    ok: str
    warn: str
    error: str
    busy: str
    """In progress: draining, starting."""
    primary: str
    """Frames and names in focus."""
    keys: str
    """Keys that can be pressed."""

    def theme(self) -> Theme:
        """The palette as a Textual theme."""
        return Theme(
            name=self.name,
            dark=self.dark,
            primary=self.primary,
            secondary=self.busy,
            accent=self.keys,
            success=self.ok,
            warning=self.warn,
            error=self.error,
            background=self.background,
            foreground=self.foreground,
            surface=self.surface,
            panel=self.panel,
            boost=self.boost,
            # Textual would mix colours for these that 256 colours cannot show.
            variables={
                "text": self.foreground,
                "text-muted": self.muted,
                "text-disabled": self.muted,
                "foreground-muted": self.muted,
                "foreground-disabled": self.muted,
                "border": self.primary,
                "border-blurred": self.boost,
                "block-cursor-background": self.primary,
                "block-cursor-foreground": self.background,
                "block-cursor-blurred-background": self.panel,
                "block-cursor-blurred-foreground": self.foreground,
                "block-hover-background": self.panel,
                "footer-background": self.surface,
                "footer-foreground": self.foreground,
                "footer-key-foreground": self.keys,
                "footer-description-foreground": self.foreground,
                "input-cursor-background": self.foreground,
                "input-cursor-foreground": self.background,
                "input-selection-background": self.boost,
                "screen-selection-background": self.boost,
                "screen-selection-foreground": self.foreground,
                "scrollbar": self.boost,
                "scrollbar-hover": self.muted,
                "scrollbar-active": self.primary,
                "scrollbar-background": self.background,
                "scrollbar-background-hover": self.background,
                "scrollbar-background-active": self.background,
                "scrollbar-corner-color": self.background,
            },
        )


COLOR_FIELDS = tuple(
    each.name for each in fields(ThemeColours) if each.name not in ("name", "dark")
)

TEXT_FIELDS = ("foreground", "muted", "ok", "warn", "error", "busy", "primary", "keys")
"""Colours that text is written in."""


def _terminal_theme(name: str, **roles: str) -> Theme:
    """A theme of the terminal's own colours; roles that are not given have the default one."""
    default = "ansi_default"
    return Theme(
        name=name,
        ansi=True,
        primary=roles.get("primary", default),
        secondary=roles.get("busy", default),
        accent=roles.get("keys", default),
        success=roles.get("ok", default),
        warning=roles.get("warn", default),
        error=roles.get("error", default),
        background=default,
        foreground=default,
        surface=default,
        panel=default,
        boost=default,
        variables={
            # Textual 8.2 fails on the first screen where these two are missing.
            "ansi-background": "ansi_black",
            "ansi-foreground": "ansi_white",
            "foreground-muted": default,
            "text-muted": default,
            "border": roles.get("primary", default),
            "border-blurred": default,
            "block-cursor-background": default,
            "block-cursor-foreground": default,
            "block-cursor-text-style": "reverse",
            "footer-key-foreground": roles.get("keys", default),
            "input-cursor-background": default,
            "input-cursor-foreground": default,
            "input-cursor-text-style": "reverse",
        },
    )


FLEET_ANSI = _terminal_theme(
    "fleet-ansi",
    primary="ansi_cyan",
    busy="ansi_blue",
    keys="ansi_magenta",
    ok="ansi_green",
    warn="ansi_yellow",
    error="ansi_red",
)
"""The terminal's palette, for 16 colours and for slow links."""

FLEET_MONO = _terminal_theme("fleet-mono")
"""No colours: weight and reverse carry the meaning."""


@dataclass(frozen=True)
class LoadedTheme:
    """The available themes, by name, and the problems of files that were left out."""

    themes: Mapping[str, Theme]
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class ThemeChoice:
    """The initial theme."""

    name: str
    ansi_color: bool | None
    """For ``App(ansi_color=...)``: True keeps the terminal's own colours unfiltered."""
    problem: str = ""
    """Why it is not the requested one."""


def read_palette(source: Source) -> ThemeColours | None:
    """The palette in a file, or None; all problems are reported to the source at once."""
    tree = reader.read(source)
    if not isinstance(tree, reader.Mapping):
        if not source.problems:
            source.error(None, "a theme is a list of names and colours", hint="see fleet-dark.yaml")
        return None
    known = {"name", "dark", *COLOR_FIELDS}
    values: dict[str, str] = {}
    for key, entry in tree.entries.items():
        if key not in known:
            source.error(
                entry.key.mark, "not a part of a theme", path=key, hint=", ".join(sorted(known))
            )
        elif not isinstance(entry.value, reader.Scalar):
            source.error(entry.value.mark, "must be a single value", path=key)
        else:
            _check_value(source, key, entry.value)
            values[key] = entry.value.text
    for missing in sorted(known - tree.entries.keys()):
        source.error(tree.mark, f"{missing} is missing")
    if source.errors:
        return None
    colors = {key: values[key].lower() for key in COLOR_FIELDS}
    palette = ThemeColours(name=values["name"], dark=values["dark"] == "true", **colors)
    _warn_of_contrast(source, palette, tree)
    return palette


def _check_value(source: Source, key: str, value: reader.Scalar) -> None:
    """Report what is wrong with one value."""
    if key == "name":
        if not _NAME.fullmatch(value.text):
            source.error(value.mark, "must be lower-case letters, digits and -", path=key)
    elif key == "dark":
        if value.text not in ("true", "false"):
            source.error(value.mark, "must be true or false", path=key)
    elif not _COLOR.fullmatch(value.text):
        source.error(
            value.mark, "not a colour", path=key, hint='write it as "#rrggbb"', width=value.width
        )


def _warn_of_contrast(source: Source, palette: ThemeColours, tree: reader.Mapping) -> None:
    for key in TEXT_FIELDS:
        ratio = contrast(getattr(palette, key), palette.background)
        if ratio < MIN_CONTRAST:
            mark: Position = tree.entries[key].value.mark
            source.warn(
                mark, f"hard to read: contrast {ratio:.1f}, {MIN_CONTRAST} is the least", path=key
            )


def contrast(color: str, other: str) -> float:
    """The contrast ratio of two colours, 1 to 21 (WCAG 2.1, relative luminance)."""

    def luminance(text: str) -> float:
        channels = (part / 255 for part in Color.parse(text).rgb)
        red, green, blue = (
            c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((luminance(color), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def load(shipped: Path, own: Path | None = None) -> LoadedTheme:
    """The themes of our own directory and of the operator's, which need not exist.

    Never raises for a file's content. A theme of the operator cannot take a shipped name.
    """
    themes = {theme.name: theme for theme in (FLEET_ANSI, FLEET_MONO)}
    problems: list[Problem] = []
    for file in sorted(shipped.glob("*.yaml")):
        _load_file(file, themes, problems)
    if own is not None and own.is_dir():
        files = sorted((*own.glob("*.yaml"), *own.glob("*.yml")))
        for file in files[:MAX_USER_THEMES]:
            _load_file(file, themes, problems)
        if len(files) > MAX_USER_THEMES:
            source = Source(str(own), "")
            source.warn(None, f"only the first {MAX_USER_THEMES} of {len(files)} themes were read")
            problems += source.problems
    return LoadedTheme(themes, tuple(problems))


def _load_file(file: Path, themes: dict[str, Theme], problems: list[Problem]) -> None:
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_THEME_BYTES + 1)
    except OSError as error:
        source = Source(str(file), "")
        source.error(None, f"cannot be read: {error.strerror}")
    else:
        source = reader.decode(str(file), data)
        if len(data) > MAX_THEME_BYTES:
            source.error(None, f"larger than {MAX_THEME_BYTES // 1024} KiB")
        palette = None if source.errors else read_palette(source)
        if palette is not None and palette.name in themes:
            source.error(None, f"the name {palette.name} is taken")
        elif palette is not None:
            themes[palette.name] = palette.theme()
    problems += source.in_order()


def own_themes(env: Mapping[str, str]) -> Path:
    """The directory of the operator's own themes: ``$XDG_CONFIG_HOME/fleet-tui/themes``."""
    home = env.get("XDG_CONFIG_HOME") or ""
    base = Path(home) if home.startswith("/") else Path(env.get("HOME") or "~") / ".config"
    return base.expanduser() / "fleet-tui" / "themes"


def choose(env: Mapping[str, str], wanted: str = "auto", *, known: Collection[str]) -> ThemeChoice:
    """The theme to start with.

    NO_COLOR always wins. Then the requested one; else 16 colours take the terminal's own, and a
    light background (COLORFGBG) the light theme.
    """
    if "NO_COLOR" in env:
        asked = wanted not in ("auto", FLEET_MONO.name)
        return ThemeChoice(FLEET_MONO.name, True, "NO_COLOR is set" if asked else "")
    problem = ""
    if wanted != "auto":
        if wanted in known:
            return ThemeChoice(wanted, _ansi_color(wanted))
        problem = f"there is no theme {wanted}; there are {', '.join(sorted(known))}"
    name = "fleet-dark"
    if not _has_256_colors(env):
        name = FLEET_ANSI.name
    elif _is_light(env.get("COLORFGBG", "")):
        name = "fleet-light"
    return ThemeChoice(name, _ansi_color(name), problem)


def _ansi_color(name: str) -> bool | None:
    return True if name in (FLEET_ANSI.name, FLEET_MONO.name) else None


def _has_256_colors(env: Mapping[str, str]) -> bool:
    """As Rich decides it, so that our choice matches what is painted."""
    if env.get("COLORTERM", "").strip().lower() in ("truecolor", "24bit"):
        return True
    return env.get("TERM", "").strip().lower().rpartition("-")[2] in ("256color", "kitty")


def _is_light(colors: str) -> bool:
    """Whether COLORFGBG (``15;0``: foreground;background) has a light background."""
    return colors.rpartition(";")[2] in ("7", "15")


def install(app: App[_Result], loaded: LoadedTheme, name: str) -> None:
    """Register the themes with an app and select one; while it runs, this switches."""
    for theme in loaded.themes.values():
        app.register_theme(theme)
    if app.no_color:
        name = FLEET_MONO.name
    app.ansi_color = _ansi_color(name)
    app.theme = name
