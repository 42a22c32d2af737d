"""The sign before a word and the tone of both: one table for each closed vocabulary."""

from typing import NamedTuple, assert_never

from fleet_tui.console.text.cells import Cell, Tone
from fleet_tui.console.text.glyphs import Glyphs, Sign
from fleet_tui.core.agents.words import AgentWord
from fleet_tui.core.alerting.model import Severity
from fleet_tui.core.logs import Level
from fleet_tui.core.status import FleetStatus
from fleet_tui.core.tasks.model import AttemptPhase
from fleet_tui.core.tasks.words import TaskWord


class Look(NamedTuple):
    """Sign and tone of a word."""

    sign: Sign
    tone: Tone


def agent_look(word: AgentWord) -> Look:
    """How the word for an agent looks."""
    match word:
        case AgentWord.UP:
            return Look(Sign.GOOD, Tone.OK)
        case AgentWord.DEGRADED | AgentWord.SUSPECT:
            return Look(Sign.WARNING, Tone.WARN)
        case AgentWord.DOWN | AgentWord.UNREACHABLE:
            return Look(Sign.BAD, Tone.ERROR)
        case AgentWord.DRAINING:
            return Look(Sign.STOPPING, Tone.BUSY)
        case AgentWord.STARTING | AgentWord.JOINING:
            return Look(Sign.COMING, Tone.BUSY)
        case AgentWord.QUARANTINED:
            return Look(Sign.ASIDE, Tone.WARN)
        case AgentWord.CORDONED | AgentWord.RETIRED:
            return Look(Sign.ASIDE, Tone.DIM)
        case _:
            assert_never(word)


def task_look(word: TaskWord) -> Look:
    """How the word for a task looks."""
    match word:
        case TaskWord.SUCCEEDED:
            return Look(Sign.GOOD, Tone.OK)
        case TaskWord.FAILED | TaskWord.EXPIRED:
            return Look(Sign.BAD, Tone.ERROR)
        case TaskWord.NEEDS_OPERATOR | TaskWord.HELD:
            return Look(Sign.WARNING, Tone.WARN)
        case TaskWord.UNKNOWN:
            return Look(Sign.UNKNOWN, Tone.WARN)
        case TaskWord.CANCELLING:
            return Look(Sign.STOPPING, Tone.BUSY)
        case TaskWord.RUNNING | TaskWord.ACTIVE:
            return Look(Sign.COMING, Tone.PLAIN)
        case TaskWord.PLANNED:
            return Look(Sign.COMING, Tone.BUSY)
        case TaskWord.WAITING:
            return Look(Sign.ASIDE, Tone.PLAIN)
        case TaskWord.CANCELLED:
            return Look(Sign.ASIDE, Tone.DIM)
        case _:
            assert_never(word)


def attempt_look(phase: AttemptPhase) -> Look:
    """How the phase of an attempt looks."""
    match phase:
        case AttemptPhase.SUCCEEDED:
            return Look(Sign.GOOD, Tone.OK)
        case (
            AttemptPhase.FAILED | AttemptPhase.DIED | AttemptPhase.TIMED_OUT | AttemptPhase.GIVEN_UP
        ):
            return Look(Sign.BAD, Tone.ERROR)
        case AttemptPhase.UNKNOWN:
            return Look(Sign.UNKNOWN, Tone.WARN)
        case AttemptPhase.CANCELLING:
            return Look(Sign.STOPPING, Tone.BUSY)
        case AttemptPhase.RUNNING:
            return Look(Sign.COMING, Tone.PLAIN)
        case AttemptPhase.PLANNED:
            return Look(Sign.COMING, Tone.BUSY)
        case AttemptPhase.CANCELLED | AttemptPhase.NOT_STARTED | AttemptPhase.FENCED:
            return Look(Sign.ASIDE, Tone.DIM)
        case _:
            assert_never(phase)


def severity_look(severity: Severity) -> Look:
    """How the severity of an alert looks."""
    match severity:
        case Severity.CRIT:
            return Look(Sign.BAD, Tone.ERROR)
        case Severity.WARN:
            return Look(Sign.WARNING, Tone.WARN)
        case Severity.INFO:
            return Look(Sign.UNKNOWN, Tone.DIM)
        case _:
            assert_never(severity)


def level_tone(level: Level) -> Tone:
    """How the level of a log line or of an event is painted."""
    match level:
        case Level.ERROR:
            return Tone.ERROR
        case Level.WARN:
            return Tone.WARN
        case Level.INFO:
            return Tone.PLAIN
        case Level.DEBUG | Level.TRACE | Level.UNKNOWN:
            return Tone.DIM
        case _:
            assert_never(level)


def trend_sign(status: FleetStatus, glyphs: Glyphs) -> str:
    """Whether the queue grows: a sign, nothing without enough samples."""
    trend = status.queue_trend_per_minute
    if trend is None:
        return ""
    if abs(trend) < 1:
        return glyphs.steady
    return glyphs.rising if trend > 0 else glyphs.falling


def agent_cell(glyphs: Glyphs, word: AgentWord) -> Cell:
    """``✗ down`` in its tone."""
    return _cell(glyphs, word, agent_look(word))


def task_cell(glyphs: Glyphs, word: TaskWord) -> Cell:
    """``▲ held`` in its tone."""
    return _cell(glyphs, word, task_look(word))


def attempt_cell(glyphs: Glyphs, phase: AttemptPhase, said: str = "") -> Cell:
    """``✗ failed`` in its tone; ``said`` replaces the phase."""
    return _cell(glyphs, said or phase, attempt_look(phase))


def _cell(glyphs: Glyphs, word: str, look: Look) -> Cell:
    return Cell(f"{glyphs.sign(look.sign)} {word}", look.tone)
