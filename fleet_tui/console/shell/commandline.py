"""The ``:`` line: every view and verb by name, with the same meaning as its key.

A unique prefix is enough. A line that is not understood stays in the bar with a caret and three
suggestions; nothing is carried out partially.
"""

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, assert_never

from fleet_tui.console.actions.action import Action
from fleet_tui.console.actions.registry import ACTIONS, BY_NAME
from fleet_tui.console.actions.selection import Context, Scope, Selection
from fleet_tui.console.shell.host import ConsoleShell
from fleet_tui.console.shell.messages import CommandProblem
from fleet_tui.console.shell.places import TABS, Place
from fleet_tui.console.shell.timeline import BandView, parse_moment
from fleet_tui.console.terminal.attention import Calls
from fleet_tui.console.views.diff.span import Span
from fleet_tui.core.ids import AgentName, AlertId, task_number
from fleet_tui.core.tasks.dead_letters import letters_called
from fleet_tui.core.text.firewall import safe_line
from fleet_tui.core.text.quantities import instant_ms, span_ms
from fleet_tui.verbs.table import VERBS
from fleet_tui.verbs.tasks import SUBMIT
from fleet_tui.verbs.verb import Option

MAX_SUGGESTIONS = 3
MAX_COMPLETED_TASKS = 200


class Word(NamedTuple):
    """A word of the line and its column."""

    text: str
    column: int


CommandRun = Callable[[ConsoleShell, Sequence[Word]], CommandProblem | None]
Choices = Callable[[ConsoleShell], Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class CommandSpec:
    """One command of the ``:`` line."""

    name: str
    usage: str
    help: str
    run: CommandRun
    choices: Choices
    """What its arguments can be, for completion."""


def _no_choices(app: ConsoleShell) -> Sequence[str]:
    del app
    return ()


def _agents(app: ConsoleShell) -> Sequence[str]:
    return sorted(app.view.state.agents)


def _tasks(app: ConsoleShell) -> Sequence[str]:
    return [task.label for task in list(app.view.state.open_tasks.values())[:MAX_COMPLETED_TASKS]]


def _alerts(app: ConsoleShell) -> Sequence[str]:
    return sorted(app.view.state.alerts)


def _themes(app: ConsoleShell) -> Sequence[str]:
    return sorted(name.removeprefix("fleet-") for name in app.loaded_themes.themes)


def _close(text: str, there: Sequence[str]) -> str:
    """The nearest names, as a hint."""
    near = difflib.get_close_matches(text, list(there), MAX_SUGGESTIONS, 0.4)
    if not near:
        near = [name for name in there if name.startswith(text[:1])][:MAX_SUGGESTIONS]
    return f"did you mean {', '.join(near)}?" if near else ""


def _at_end(words: Sequence[Word], message: str, hint: str) -> CommandProblem:
    last = words[-1]
    return CommandProblem(last.column + len(last.text) + 1, message, hint)


# --- places ---


def _view(view: str) -> CommandRun:
    def run(app: ConsoleShell, words: Sequence[Word]) -> CommandProblem | None:
        subject, rest = "", list(words[1:])
        if view == "logs" and rest:
            state = app.view.state
            task = state.find_task(rest[0].text)
            if rest[0].text in state.agents:
                subject = rest.pop(0).text
            elif task is not None:
                rest.pop(0)
                subject = task.id
            elif _is_label(rest[0].text) and state.may_have_had(rest[0].text):
                subject = rest.pop(0).text
        query = " ".join(word.text for word in rest)
        app.go(Place(view, subject, query))
        return None

    return run


def _topic(view: str) -> CommandRun:
    def run(app: ConsoleShell, words: Sequence[Word]) -> CommandProblem | None:
        app.go(Place(view, " ".join(word.text for word in words[1:])))
        return None

    return run


def _of_agent(view: str) -> CommandRun:
    def run(app: ConsoleShell, words: Sequence[Word]) -> CommandProblem | None:
        if len(words) < 2:
            return _at_end(words, "which agent?", ", ".join(list(_agents(app))[:3]))
        word = words[1]
        if word.text not in app.view.state.agents:
            hint = _close(word.text, _agents(app))
            return CommandProblem(word.column, f"no agent is called {word.text}", hint)
        app.go(Place(view, word.text))
        return None

    return run


def _of_task(view: str) -> CommandRun:
    def run(app: ConsoleShell, words: Sequence[Word]) -> CommandProblem | None:
        if len(words) < 2:
            return _at_end(words, "which task?", "its label, such as t-42")
        task = app.view.state.find_task(words[1].text)
        if task is None and not app.view.state.may_have_had(words[1].text):
            return CommandProblem(words[1].column, f"no task {words[1].text}", ":tasks lists them")
        app.go(Place(view, task.id if task is not None else words[1].text))
        return None

    return run


# --- settings ---


def _theme(app: ConsoleShell, words: Sequence[Word]) -> CommandProblem | None:
    if len(words) < 2:
        return _at_end(words, "which theme?", ", ".join(_themes(app)))
    problem = app.switch_theme(words[1].text)
    return CommandProblem(words[1].column, problem) if problem else None


_SETTINGS = {
    "refresh": "refresh 500ms, refresh 2s",
    "bell": ", ".join(f"bell {each}" for each in Calls),
}


def _set(app: ConsoleShell, words: Sequence[Word]) -> CommandProblem | None:
    if len(words) < 2 or words[1].text not in _SETTINGS:
        where = words[1].column if len(words) > 1 else len(words[0].text) + 1
        return CommandProblem(where, "what to set?", ", ".join(_SETTINGS.values()))
    if len(words) < 3:
        return _at_end(words, "to what?", _SETTINGS[words[1].text])
    return (_set_bell if words[1].text == "bell" else _set_refresh)(app, words[2])


def _set_refresh(app: ConsoleShell, word: Word) -> CommandProblem | None:
    span = span_ms(word.text)
    if span is None:
        return CommandProblem(word.column, f"{word.text} is not a time", "500ms, 2s, 1m")
    app.set_refresh(int(span))
    app.tell(f"the screen is refreshed every {word.text}")
    return None


def _set_bell(app: ConsoleShell, word: Word) -> CommandProblem | None:
    if word.text not in list(Calls):
        return CommandProblem(word.column, "which alerts?", _SETTINGS["bell"])
    app.attention.calls = Calls(word.text)
    app.tell(app.attention.calls.text)
    return None


def _goto(app: ConsoleShell, words: Sequence[Word]) -> CommandProblem | None:
    if app.timeline is None:
        return CommandProblem(
            0, "this works in a recording only", app.keyed("{sessions}: sessions")
        )
    if len(words) < 2:
        return _at_end(words, "which time?", "11:58, 11:58:10, -5m, +30s, start or end")
    moment = BandView(app.timeline.start_ms, app.timeline.end_ms, app.view.now_ms)
    at_ms = parse_moment(words[1].text, moment, app.utc_offset_minutes)
    if isinstance(at_ms, str):
        return CommandProblem(words[1].column, at_ms)
    app.run_worker(app.playback.seek(at_ms), exclusive=False)
    return None


def _diff(app: ConsoleShell, words: Sequence[Word]) -> CommandProblem | None:
    if len(words) < 2:
        return _at_end(words, "from which time?", _DIFF_TIMES)
    if len(words) > 3:
        return CommandProblem(words[3].column, "two times at most", _DIFF_TIMES)
    moments = [app.view.now_ms]
    for word in words[1:]:
        at_ms = instant_ms(word.text, app.view.now_ms, app.utc_offset_minutes)
        if at_ms is None:
            shown = safe_line(word.text, 24)
            return CommandProblem(word.column, f"{shown} is not a time", _DIFF_TIMES)
        moments.append(at_ms)
    before_ms, after_ms = sorted(moments[1:] if len(words) == 3 else moments)
    app.go(Place("diff", Span(before_ms, after_ms).subject))
    return None


_DIFF_TIMES = "11:50, 11:50:10, 15m (ago)"


def _submit(app: ConsoleShell, words: Sequence[Word]) -> CommandProblem | None:
    """Fill the form with the typed text; nothing is sent before it is confirmed there."""
    from fleet_tui.console.views.submit.typed import (  # noqa: PLC0415 - first paint first
        BadField,
        parse_words,
    )

    text = " ".join(word.text for word in words[1:])
    typed = parse_words(text)
    if isinstance(typed, BadField):
        return CommandProblem(words[1].column if len(words) > 1 else 0, typed.text)
    reason = BY_NAME[SUBMIT.name].disabled_reason(Context(view=app.view, can_act=app.can_act))
    if reason is not None:
        return CommandProblem(0, reason)
    app.go(Place(SUBMIT.name, query=text))
    return None


def _events(app: ConsoleShell, words: Sequence[Word]) -> CommandProblem | None:
    del words
    app.go(Place("review"))
    return None


def _quit(app: ConsoleShell, words: Sequence[Word]) -> CommandProblem | None:
    del words
    app.leave()
    return None


# --- actions ---


def _subjects(
    app: ConsoleShell, action: Action, words: Sequence[Word]
) -> Selection | CommandProblem | None:
    """The subjects that the words name; None when there are none and the action applies to the
    selection."""
    if not words:
        return None
    state, kinds = app.view.state, _kinds(action)
    named: list[Selection] = []
    for word in words:
        found = (kind.find(app, word.text) for kind in kinds)
        chosen = next((one for one in found if one is not None), None)
        if chosen is not None:
            named.append(chosen)
        elif Scope.TASKS in action.scopes and state.may_have_had(word.text):
            return CommandProblem(word.column, f"{word.text} ended too long ago to be changed")
        else:
            there = _choices(kinds)(app)
            return CommandProblem(
                word.column, f"nothing here is called {word.text}", _close(word.text, there)
            )
    return Selection(
        agents=tuple(name for one in named for name in one.agents),
        tasks=tuple(name for one in named for name in one.tasks),
        alerts=tuple(name for one in named for name in one.alerts),
    )


class _Kind(NamedTuple):
    """A kind of subject that the words after an action name."""

    word: str
    """Its name in the usage text."""
    choices: Choices
    find: Callable[[ConsoleShell, str], Selection | None]
    """The subject that a word names; None if it is not of this kind."""


def _kinds(action: Action) -> list[_Kind]:
    """The kinds that the words after an action may name: tasks first, because a label may be an
    agent's name too."""
    return [
        kind for scope in Scope if scope in action.scopes and (kind := _kind_of(scope)) is not None
    ]


def _kind_of(scope: Scope) -> _Kind | None:
    match scope:
        case Scope.TASKS:
            return _Kind("TASK", _tasks, _task_called)
        case Scope.AGENTS:
            return _Kind("AGENT", _agents, _agent_called)
        case Scope.ALERTS:
            return _Kind("ALERT", _alerts, _alert_called)
        case Scope.DEAD:
            return _Kind("GROUP", _no_choices, _group_called)
        case (
            Scope.ANYWHERE
            | Scope.ROWS
            | Scope.FILTER
            | Scope.PROBLEMS
            | Scope.LINES
            | Scope.CHART
            | Scope.REVIEW
        ):
            return None
        case _:
            assert_never(scope)


def _choices(kinds: Sequence[_Kind]) -> Choices:
    return lambda app: [name for kind in kinds for name in kind.choices(app)]


def _task_called(app: ConsoleShell, text: str) -> Selection | None:
    task = app.view.state.find_task(text)
    return None if task is None else Selection(tasks=(task.id,))


def _agent_called(app: ConsoleShell, text: str) -> Selection | None:
    is_one = text in app.view.state.agents
    return Selection(agents=(AgentName(text),)) if is_one else None


def _alert_called(app: ConsoleShell, text: str) -> Selection | None:
    return Selection(alerts=(AlertId(text),)) if text in app.view.state.alerts else None


def _group_called(app: ConsoleShell, text: str) -> Selection | None:
    group = letters_called(app.view.state, text)
    return None if group is None else Selection(tasks=tuple(group.tasks))


def _perform(action: Action) -> CommandRun:
    def run(app: ConsoleShell, words: Sequence[Word]) -> CommandProblem | None:
        chosen = _subjects(app, action, words[1:])
        if isinstance(chosen, CommandProblem):
            return chosen
        app.perform(action, chosen)
        return None

    return run


def _say(action: Action) -> CommandRun:
    def run(app: ConsoleShell, words: Sequence[Word]) -> CommandProblem | None:
        app.note_text = " ".join(word.text for word in words[1:])
        app.perform(action)
        return None

    return run


def _takes_words(action: Action) -> bool:
    """Whether the words after it are the operator's own, and name nothing."""
    verb = VERBS.get(action.name)
    return verb is not None and Option.TEXT in verb.options


def _specs() -> dict[str, CommandSpec]:
    found: dict[str, CommandSpec] = {}

    def add(
        name: str, usage: str, text: str, run: CommandRun, choices: Choices = _no_choices
    ) -> None:
        found[name] = CommandSpec(name=name, usage=usage, help=text, run=run, choices=choices)

    for tab in TABS:
        choices = _agents if tab.view in ("agents", "logs") else _no_choices
        usage = "[AGENT|TASK] [FILTER]" if tab.view == "logs" else "[FILTER]"
        add(tab.view, usage, f"the {tab.title} view", _view(tab.view), choices)
    add("agent", "AGENT", "an agent's page", _of_agent("agent"), _agents)
    add("definition", "AGENT", "what the fleet file says", _of_agent("definition"), _agents)
    add("task", "TASK", "a task's page", _of_task("task"), _tasks)
    add("why", "TASK", "why a task went where it went", _of_task("why"), _tasks)
    add("help", "[TOPIC]", "help", _topic("help"))
    add("keys", "", "every key", lambda app, words: _topic("help")(app, [words[0]]))
    add("theme", "NAME", "other colours", _theme, _themes)
    settings = "how often the screen is refreshed, which alerts ring the bell"
    add("set", f"refresh SPAN|bell {'|'.join(Calls)}", settings, _set, lambda app: tuple(_SETTINGS))
    add("goto", "HH:MM", "go to a time of the recording", _goto)
    add("diff", "FROM [TO]", "what changed from one time to another, or to now", _diff)
    add(SUBMIT.name, "[--pool P --need N ...] [TEXT]", SUBMIT.title, _submit)
    add("events", "", "the ledger, event by event", _events)
    add("quit", "", "leave the console", _quit)
    for action in ACTIONS:
        name = action.command or action.name
        if _takes_words(action):
            add(name, "TEXT", action.title, _say(action))
        elif action.run is not None and name not in found and "." not in name:
            kinds = _kinds(action)
            takes = f"[{'|'.join(kind.word for kind in kinds)} ...]" if kinds else ""
            add(name, takes, action.title, _perform(action), _choices(kinds))
    return found


COMMANDS: dict[str, CommandSpec] = _specs()
"""All commands of the ``:`` line."""

_WORD = re.compile(r"\S+")


def split(text: str) -> list[Word]:
    """The words of a line with their columns."""
    return [Word(found[0], found.start()) for found in _WORD.finditer(text)]


def find(name: str) -> CommandSpec | list[str]:
    """The command that a word means, or the names of which it is a prefix."""
    if name in COMMANDS:
        return COMMANDS[name]
    could = sorted(each for each in COMMANDS if each.startswith(name))
    return COMMANDS[could[0]] if len(could) == 1 else could


def _is_label(text: str) -> bool:
    return text.startswith("t-") and task_number(text) is not None


def is_private(text: str) -> bool:
    """Whether a line may contain submitted work, with any prefix of the command."""
    words = split(text.removeprefix(":"))
    return bool(words) and SUBMIT.name.startswith(words[0].text)


class Commands:
    """Runs and completes lines for one application."""

    def __init__(self, app: ConsoleShell) -> None:
        self._app = app

    def run(self, text: str) -> CommandProblem | None:
        """Run a line; returns the problem where it was not understood."""
        found = split(text.removeprefix(":"))
        if not found:
            return None
        name = found[0].text
        if _is_label(name):
            return _of_task("task")(self._app, [found[0], *found])
        spec = find(name)
        if isinstance(spec, CommandSpec):
            return spec.run(self._app, found)
        if spec:
            return CommandProblem(0, f"{safe_line(name)} could be {', '.join(spec)}")
        return CommandProblem(
            0, f"no command {safe_line(name)}", _close(name, sorted(COMMANDS)) or ":help lists all"
        )

    def complete(self, text: str) -> str | None:
        """The line with its last word completed; None without a match or with several."""
        found = split(text)
        if not found:
            return None
        if len(found) == 1 and not text.endswith(" "):
            could = [name for name in sorted(COMMANDS) if name.startswith(found[0].text)]
            return could[0] if could else None
        spec = find(found[0].text)
        if not isinstance(spec, CommandSpec) or text.endswith(" "):
            return None
        last = found[-1]
        could = [name for name in spec.choices(self._app) if name.startswith(last.text)]
        return text[: last.column] + could[0] if could else None
