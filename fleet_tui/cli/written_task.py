"""A task as written in options or as a JSON object, and the resulting order.

Both use the same names. A line of JSON is read strictly: anything that another parser could
interpret differently (a duplicate key, ``NaN``, an endless number) is an error, never a guess.
"""

import json
import re
from collections.abc import Iterable, Sequence
from typing import NoReturn

import msgspec
from msgspec.structs import fields, replace

from fleet_tui.config.values import Unacceptable, duration_ms
from fleet_tui.core.fleet import Deadlines, Priority, TaskClass
from fleet_tui.core.ids import AgentName, Capability, ClientName, PoolName, Region
from fleet_tui.core.tasks.model import TaskSpec
from fleet_tui.core.text.firewall import invisible_count, safe_line
from fleet_tui.core.text.names import MAX_NAME_CHARS, flaw_of
from fleet_tui.core.text.near import nearest
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.verbs.submitting import MAX_LABELS, parse_class, parse_priority

MAX_KEY_CHARS = 256
MAX_NUMBER_CHARS = 20
"""No number of a task is longer."""

NO_LIMIT = "none"
"""The word that lifts one of the fleet's deadlines."""

_PRIORITIES = tuple(each.name for each in Priority)
_CLASSES = tuple(each.value for each in TaskClass)


class BadTask(ValueError):
    """The input is not a valid task; the text gives the reason, safe for a terminal."""


class WrittenDeadlines(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Durations such as ``10m``; ``none`` lifts the fleet's limit, an absent one keeps it."""

    schedule_to_start: str | None = None
    start_to_close: str | None = None
    heartbeat: str | None = None
    total: str | None = None


class WrittenTask(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    rename={"task_class": "class"},
):
    """The fields as written; None where absent."""

    text: str | None = None
    payload: str | None = None
    """A synonym of ``text``."""
    key: str | None = None
    needs: tuple[str, ...] | None = None
    pool: str | None = None
    agent: str | None = None
    client: str | None = None
    project: str | None = None
    regions: tuple[str, ...] | None = None
    priority: str | int | None = None
    task_class: str | None = None
    deadlines: WrittenDeadlines | None = None
    labels: dict[str, str] | None = None


_NAMES = tuple(field.encode_name for field in fields(WrittenTask))
_DEADLINES = tuple(field.encode_name for field in fields(WrittenDeadlines))


def parse_line(data: bytes) -> WrittenTask:
    """One line of a file of tasks. Raises BadTask."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise BadTask(f"not valid UTF-8: byte {error.start + 1}") from None
    try:
        value = _decoder.decode(text)
    except json.JSONDecodeError as error:
        raise BadTask(
            f"not JSON: {_reason(error.msg.removesuffix(' at'))} at column {error.colno}"
        ) from None
    except RecursionError:
        raise BadTask("nested too deeply") from None
    if not isinstance(value, dict):
        raise BadTask('expected an object such as {"text": "…"}')
    _check_fields(value, _NAMES)
    if isinstance(value.get("deadlines"), dict):
        _check_fields(value["deadlines"], _DEADLINES, " of deadlines")
    try:
        return msgspec.convert(value, WrittenTask)
    except msgspec.ValidationError as error:
        raise BadTask(_reason(str(error))) from None


def with_defaults(line: WrittenTask, options: WrittenTask) -> WrittenTask:
    """The line, with the command's options for absent fields."""
    absent = {
        name: getattr(options, name)
        for name in WrittenTask.__struct_fields__
        if getattr(line, name) is None and getattr(options, name) is not None
    }
    if line.labels and options.labels:
        absent["labels"] = {**options.labels, **line.labels}
    if line.deadlines is not None and options.deadlines is not None:
        absent["deadlines"] = _over(line.deadlines, options.deadlines)
    return replace(line, **absent) if absent else line


def spec_of(task: WrittenTask, fleets: Deadlines) -> TaskSpec:
    """The order; ``fleets`` are the fleet's deadlines, for absent ones. Raises BadTask."""
    text = task.payload if task.text is None else task.text
    if text is None:
        raise BadTask("a task has a text")
    if task.text is not None and task.payload is not None:
        raise BadTask("give text or payload")
    priority = None if task.priority is None else parse_priority(str(task.priority))
    if task.priority is not None and (priority is None or not str(task.priority).strip()):
        raise BadTask(f"priority is {_shown(task.priority)}; one of {' '.join(_PRIORITIES)}")
    task_class = None if task.task_class is None else parse_class(task.task_class)
    if task.task_class is not None and (task_class is None or not task.task_class.strip()):
        near = nearest(task.task_class, _CLASSES)
        meant = f"; did you mean {near[0]}?" if near else ""
        listed = " ".join(_CLASSES)
        raise BadTask(f"class is {_shown(task.task_class)}; one of {listed}{meant}")
    pool, agent = _name("pool", task.pool), _name("agent", task.agent)
    client, project = _name("client", task.client), _name("project", task.project)
    if task.key is not None:
        check_key(task.key)
    written = _limits(task.deadlines or WrittenDeadlines())
    return TaskSpec(
        payload=Untrusted(text),
        needs=frozenset(Capability(_named("needs", n)) for n in task.needs or ()),
        pool=PoolName(pool) if pool is not None else None,
        agent=AgentName(agent) if agent is not None else None,
        client=ClientName(client) if client is not None else None,
        project=project,
        regions=tuple(Region(_named("regions", r)) for r in task.regions or ()),
        priority=Priority.P2 if priority is None else priority,
        task_class=TaskClass.ONCE if task_class is None else task_class,
        deadlines=replace(fleets, **written) if written else None,
        written_deadlines=tuple(written) or None,
        labels=_labels(task.labels or {}),
    )


def check_key(key: str) -> None:
    """Raises BadTask for a key that could be mistaken for another."""
    clear = key.isprintable() and not invisible_count(key) and key == key.strip()
    if not key or not clear or len(key) > MAX_KEY_CHARS:
        raise BadTask(f"key is {_shown(key)}; 1 to {MAX_KEY_CHARS} visible characters")


# --- reading JSON strictly ---


def _pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise BadTask(f"{_shown(name)} stands there twice")
            seen.add(name)
    return found


def _no_constant(word: str) -> NoReturn:
    raise BadTask(f"{word} is no JSON")


def _whole(digits: str) -> int:
    if len(digits) > MAX_NUMBER_CHARS:
        raise BadTask(f"a number of {len(digits)} digits")
    return int(digits)


_decoder = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_constant=_no_constant, parse_int=_whole, strict=True
)


def _check_fields(value: Iterable[str], known: Sequence[str], where: str = "") -> None:
    unknown = next((name for name in value if name not in known), None)
    if unknown is not None:
        near = nearest(unknown, known)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
        raise BadTask(f"unknown field {_shown(unknown)}{where}; {hint}")


def _reason(text: str) -> str:
    """A library's message as part of our own sentence."""
    text = re.sub(r"`([^`]*)`", r"\1", text).replace(" | null", "").replace(" - at $.", " at ")
    return safe_line(text[:1].lower() + text[1:], 200)


# --- fields ---


def _shown(value: object) -> str:
    return safe_line(f'"{value}"' if isinstance(value, str) else str(value), 80)


def _name(field: str, text: str | None) -> str | None:
    return None if text is None else _named(field, text)


def _named(field: str, text: str) -> str:
    if len(text) > MAX_NAME_CHARS:
        raise BadTask(f"{field} is longer than {MAX_NAME_CHARS} characters")
    if not text.strip():
        raise BadTask(f"{field} is {_shown(text)}; a name has visible characters")
    if (flaw := flaw_of(text)) is not None:
        raise BadTask(f"{field} is {_shown(text)}, which {flaw}")
    return text


def _labels(labels: dict[str, str]) -> dict[str, str]:
    if len(labels) > MAX_LABELS:
        raise BadTask(f"{len(labels)} labels; at most {MAX_LABELS}")
    for name, value in labels.items():
        _named("labels", name)
        if value:
            _named(f"labels.{safe_line(name, 32)}", value)
    return labels


def _over(written: WrittenDeadlines, before: WrittenDeadlines) -> WrittenDeadlines:
    said = {
        name: getattr(written, name)
        for name in WrittenDeadlines.__struct_fields__
        if getattr(written, name) is not None
    }
    return replace(before, **said)


def _limits(written: WrittenDeadlines) -> dict[str, int | None]:
    """The deadlines that were written, by the field of Deadlines."""
    return {
        f"{name}_ms": _limit_ms(name, getattr(written, name))
        for name in WrittenDeadlines.__struct_fields__
        if getattr(written, name) is not None
    }


def _limit_ms(name: str, text: str) -> int | None:
    if text == NO_LIMIT:
        return None
    try:
        return duration_ms(text)
    except Unacceptable as error:
        said = "; ".join(filter(None, (error.message, error.hint)))
        raise BadTask(f"deadlines.{name}: {safe_line(said, 200)}") from None
