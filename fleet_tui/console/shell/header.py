"""The first line of every screen: the fleet, its counts, what is wrong, and the mode in words."""

from collections import Counter
from collections.abc import Sequence

from fleet_tui.console.text.cells import Cell, Line, Tone
from fleet_tui.console.text.glyphs import Glyphs, Sign
from fleet_tui.console.text.looks import agent_look, trend_sign
from fleet_tui.console.widgets.lines import Part
from fleet_tui.core.agents.model import Health
from fleet_tui.core.agents.words import health_word
from fleet_tui.core.modes import EngineMode
from fleet_tui.core.status import FleetStatus
from fleet_tui.core.text import words
from fleet_tui.core.text.firewall import safe_line
from fleet_tui.feed.feed import Link, Mode, View

MAX_FLEET_CHARS = 32
MAX_MODE_CHARS = 60
SHORT_MODE_CHARS = 30

_COUNTED = (Sign.GOOD, Sign.WARNING, Sign.BAD, Sign.STOPPING, Sign.COMING, Sign.ASIDE, Sign.UNKNOWN)
"""The order of the counts; the first four are shown even if zero."""
_ALWAYS = 4


def badge(view: View) -> Line:
    """The fleet's name; a protected one has a sign and another style."""
    fleet = view.state.fleet
    name = safe_line(fleet.name or "no fleet", MAX_FLEET_CHARS)
    if fleet.protected:
        return (Cell(f" {name} ! ", Tone.DANGER),)
    return (Cell(f" {name} ", Tone.BADGE),)


def counts(status: FleetStatus, glyphs: Glyphs) -> Line:
    """``●17 ▲1 ✗1 ◐1``."""
    cells: list[Cell] = []
    numbers: Counter[Sign] = Counter()
    tones: dict[Sign, Tone] = {}
    for health, number in status.by_health.items():
        if health is not Health.RETIRED:
            look = agent_look(health_word(health))
            numbers[look.sign] += number
            tones[look.sign] = look.tone
    for place, sign in enumerate(_COUNTED):
        if numbers[sign] or place < _ALWAYS:
            text = f"{glyphs.sign(sign)}{numbers[sign]}"
            cells += [Cell(text, tones.get(sign, Tone.DIM)), Cell(" ")]
    if status.cordoned:
        cells += [Cell(f"{glyphs.sign(Sign.ASIDE)}{status.cordoned}", Tone.DIM), Cell(" ")]
    return tuple(cells[:-1])


def parts(view: View, status: FleetStatus, glyphs: Glyphs, width: int) -> Sequence[Part]:
    """The left parts of the header; the widget drops those that do not fit."""
    queue = "q" if width < 100 else "queue"
    error = None if status.error_rate is None else 100 * status.error_rate
    cost = words.cost_rate(status.cost_microusd_per_hour, is_unknown=status.has_unknown_cost)
    loud = Tone.WARN if error is not None and error >= 5 else Tone.PLAIN
    found = [
        Part((*badge(view), Cell(" "), *counts(status, glyphs)), 100),
        Part((Cell(f"{queue} {words.count(status.waiting)}{trend_sign(status, glyphs)}"),), 90),
        Part((Cell(f"p95 {words.seconds(status.run_ms_p95)}"),), 80),
        Part((Cell(f"err {words.percent(error)}", loud),), 85),
        Part((Cell(cost),), 70),
        Part((Cell(f"{status.tasks_per_minute:.0f} tasks/min"),), 60),
        Part((Cell(f"slots {status.slots_used}/{status.slots}"),), 50),
    ]
    if view.engine.mode is not EngineMode.NORMAL:
        room = MAX_MODE_CHARS if width >= 120 else SHORT_MODE_CHARS
        why = safe_line(f"engine {view.engine.mode.label}: {view.engine.reason}", room)
        found.insert(1, Part((Cell(f" {why} ", Tone.DANGER),), 99))
    if status.unknown:
        found.append(Part((Cell(f"{status.unknown} unknown", Tone.WARN),), 97))
    if status.needs_operator:
        found.append(Part((Cell(f"{status.needs_operator} need you", Tone.ERROR),), 98))
    return found


def alerts_cell(status: FleetStatus) -> Cell:
    """``3 alerts``, highlighted when one is critical."""
    if not status.alerts_open:
        return Cell("")
    tone = Tone.ERROR if status.alerts_crit else Tone.WARN
    return Cell(words.plural(status.alerts_open, "alert") + "  ", tone)


NEVER_MET = -1
"""Used in place of the time since when the engine is away: it never answered yet, so it is
starting."""


def lost_since(view: View, before_ms: int | None) -> int | None:
    """Since when the engine does not answer: this view's time unless it was away ``before``."""
    if view.link is not Link.RECONNECTING:
        return None
    return view.now_ms if before_ms is None else before_ms


def mode_cells(
    view: View,
    *,
    paused: bool,
    can_act: bool,
    speed: float | None,
    playing: bool,
    offset: int,
    width: int,
    lost_ms: int | None = None,
) -> Line:
    """``LIVE 12:04``, ``PAUSED 12:04:31``, ``REVIEW 11:58:10 x4``: always in words."""
    if view.mode is Mode.REVIEW:
        at = words.clock(view.now_ms, offset)
        pace = f"x{speed or 1:g} {'playing' if playing else 'paused'}"
        return (Cell(f"REVIEW {at} {pace} ", Tone.MATCH),)
    if paused:
        return (Cell(f"PAUSED {words.clock(view.now_ms, offset)} ", Tone.WARN),)
    clock = f"{words.clock_minutes(view.now_ms, offset)} " if width >= 100 else ""
    if view.link is Link.RECONNECTING:
        if not view.state.seq or lost_ms == NEVER_MET:
            return (Cell("STARTING ", Tone.WARN),)
        since = words.clock(view.now_ms if lost_ms is None else lost_ms, offset)
        return (Cell(f"RECONNECTING since {since} ", Tone.ERROR),)
    word = view.mode.value if can_act or view.mode is Mode.DEMO else Mode.READ_ONLY.value
    tone = Tone.WARN if word == Mode.READ_ONLY.value else Tone.OK
    return (Cell(word, tone), Cell(f" {clock}"))
