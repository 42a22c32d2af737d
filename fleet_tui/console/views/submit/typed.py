"""A submission as typed, validated field by field: the form and ``:submit`` share it.

Invalid input gives problems for all fields at once; no typed text is lost.
"""

import re
import shlex
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from fleet_tui.core.fleet import FleetSpec, TaskClass
from fleet_tui.core.ids import AgentName, Capability, ClientName, PoolName, Region
from fleet_tui.core.tasks.defined import names_of
from fleet_tui.core.tasks.model import TaskSpec
from fleet_tui.core.tasks.submission import MAX_PAYLOAD_BYTES
from fleet_tui.core.text.firewall import safe_line
from fleet_tui.core.text.names import MAX_NAME_CHARS
from fleet_tui.core.text.near import nearest
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.core.text.words import plural, size
from fleet_tui.verbs.submitting import (
    MAX_LABELS,
    TASK_OPTIONS,
    notice,
    parse_class,
    parse_priority,
)
from fleet_tui.verbs.tasks import SUBMIT


class Typed(msgspec.Struct, frozen=True, kw_only=True):
    """The content of the fields, as typed."""

    payload: str = ""
    needs: str = ""
    pool: str = ""
    agent: str = ""
    client: str = ""
    project: str = ""
    regions: str = ""
    priority: str = "P2"
    task_class: str = "once"
    labels: str = ""


class BadField(msgspec.Struct, frozen=True):
    """A problem with a field. ``field`` is one of Typed's."""

    field: str
    text: str


LISTS = re.compile(r"[\s,]+")


def check(typed: Typed, fleet: FleetSpec) -> TaskSpec | tuple[BadField, ...]:
    """The typed task, or all of its problems."""
    problems = [
        *_payload_problems(typed.payload),
        *_named("pool", typed.pool, fleet.pools),
        *_named("agent", typed.agent, fleet.agents),
        *_needs_problems(typed.needs, fleet),
        *_region_problems(typed.regions, fleet),
        *_word("client", typed.client, names_of(fleet).clients),
        *_word("project", typed.project, names_of(fleet).projects),
    ]
    priority = parse_priority(typed.priority)
    if priority is None:
        problems.append(BadField("priority", "one of P0 P1 P2 P3; P0 is the most urgent"))
    task_class = parse_class(typed.task_class)
    if task_class is None:
        problems.append(BadField("task_class", f"one of {' '.join(c.value for c in TaskClass)}"))
    labels = parse_labels(typed.labels)
    if isinstance(labels, BadField):
        problems.append(labels)
    if problems or priority is None or task_class is None or isinstance(labels, BadField):
        return tuple(problems)
    return TaskSpec(
        payload=Untrusted(typed.payload),
        needs=frozenset(Capability(n) for n in words_of(typed.needs)),
        pool=PoolName(typed.pool.strip()) if typed.pool.strip() else None,
        agent=AgentName(typed.agent.strip()) if typed.agent.strip() else None,
        client=ClientName(typed.client.strip()) if typed.client.strip() else None,
        project=typed.project.strip() or None,
        regions=tuple(Region(r) for r in words_of(typed.regions)),
        priority=priority,
        task_class=task_class,
        labels=labels,
    )


def typed_of(spec: TaskSpec) -> Typed:
    """The input for this task: :func:`check` returns the task again, except for its deadlines."""
    return Typed(
        payload=spec.payload.raw,
        needs=" ".join(sorted(spec.needs)),
        pool=spec.pool or "",
        agent=spec.agent or "",
        client=spec.client or "",
        project=spec.project or "",
        regions=" ".join(spec.regions),
        priority=spec.priority.name,
        task_class=spec.task_class.value,
        labels=" ".join(f"{key}={value}" for key, value in sorted(spec.labels.items())),
    )


# --- fields ---


def words_of(text: str) -> list[str]:
    """Words separated by commas or spaces, each once, in their order."""
    return list(dict.fromkeys(word for word in LISTS.split(text) if word))


def parse_labels(text: str) -> dict[str, str] | BadField:
    """``team=ops ticket=42`` as a mapping."""
    labels: dict[str, str] = {}
    for word in words_of(text):
        key, equals, value = word.partition("=")
        if not key or not equals:
            return BadField("labels", f"{safe_line(word, 32)} is not key=value")
        if len(word) > MAX_NAME_CHARS:
            return BadField("labels", f"{safe_line(key, 32)} is longer than {MAX_NAME_CHARS}")
        labels[key] = value
    if len(labels) > MAX_LABELS:
        return BadField("labels", f"{len(labels)} labels; at most {MAX_LABELS}")
    return labels


MAX_LOOKED_AT_CHARS = 20_000
"""How much of a text is searched for secrets while it is typed."""


class PayloadNote(NamedTuple):
    """A note for the operator about a text before sending it."""

    text: str = ""
    warns: bool = False


def payload_note(payload: str, labels: str = "") -> PayloadNote:
    """Notes about a typed text and labels; empty when there are none."""
    octets = len(payload.encode(errors="replace"))
    lines = payload.count("\n") + 1
    parts = [f"{size(octets)}, {plural(lines, 'line')}"] if payload else []
    named = parse_labels(labels)
    sure = {} if isinstance(named, BadField) else named
    warnings = notice(payload, sure, looked_at=MAX_LOOKED_AT_CHARS).warnings
    return PayloadNote(", ".join(parts + warnings), bool(warnings))


def _payload_problems(payload: str) -> Iterable[BadField]:
    if not payload.strip():
        yield BadField("payload", "what should the agent do? The text is empty")
        return
    try:
        octets = len(payload.encode())
    except UnicodeEncodeError as error:
        yield BadField("payload", f"character {error.start + 1} is not valid text")
        return
    if octets > MAX_PAYLOAD_BYTES:
        yield BadField("payload", f"{size(octets)}; at most {size(MAX_PAYLOAD_BYTES)} are allowed")
    if "\x00" in payload:
        at = payload.index("\x00") + 1
        yield BadField("payload", f"a NUL character at position {at}; agents cannot take one")


def _named(field: str, text: str, known: Iterable[str]) -> Iterable[BadField]:
    """A name that the fleet file must define."""
    word = text.strip()
    names = sorted(known)
    if word and word not in names:
        yield BadField(field, f"no {field} is called {safe_line(word, 32)}{_meant(word, names)}")


def _needs_problems(text: str, fleet: FleetSpec) -> Iterable[BadField]:
    known = sorted(names_of(fleet).capabilities)
    for word in words_of(text):
        if word not in known:
            said = f"no agent declares {safe_line(word, 32)}{_meant(word, known)}"
            yield BadField("needs", said)


def _region_problems(text: str, fleet: FleetSpec) -> Iterable[BadField]:
    known = sorted(names_of(fleet).regions)
    for word in words_of(text):
        if word not in known:
            yield BadField("regions", f"no agent is in {safe_line(word, 32)}{_meant(word, known)}")


def _word(field: str, text: str, known: Iterable[str] | None) -> Iterable[BadField]:
    """One word, which must be a known one where all are known."""
    word = text.strip()
    if LISTS.search(word):
        yield BadField(field, f"one {field}, without spaces or commas")
    elif len(word) > MAX_NAME_CHARS:
        yield BadField(field, f"longer than {MAX_NAME_CHARS} characters")
    elif word and known is not None:
        yield from _named(field, word, known)


def _meant(word: str, known: Sequence[str]) -> str:
    """`` - did you mean gpu?`` or the known names."""
    close = nearest(word, known, count=2)
    if close:
        return f" - did you mean {' or '.join(safe_line(name, 32) for name in close)}?"
    shown = ", ".join(safe_line(name, 32) for name in known[:6])
    more = ", …" if len(known) > 6 else ""
    return f" - there is {shown}{more}" if known else " - the fleet file names none"


# --- the same as a command line ---

_OPTIONS = {each.option: each for each in TASK_OPTIONS if each.in_form}


def parse_words(text: str) -> Typed | BadField:
    """``--pool gpu -- count the invoices`` as fields; what follows the options is the task."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        return BadField("payload", f"{str(error).lower()}: close the quotes")
    fields: dict[str, str] = {}
    while words and words[0].startswith("--"):
        option, equals, value = words.pop(0).partition("=")
        if option == "--" and not equals:
            break
        known = _OPTIONS.get(option)
        if known is None:
            meant = _meant(option, sorted(_OPTIONS))
            return BadField("payload", f"unknown option {safe_line(option, 32)}{meant}")
        if not equals:
            if not words:
                return BadField(known.field, f"a value is missing after {option}")
            value = words.pop(0)
        if known.repeats and known.field in fields:
            value = f"{fields[known.field]} {value}"
        fields[known.field] = value
    return msgspec.convert({**fields, "payload": " ".join(words)}, Typed)


MAX_TWIN_CHARS = 60
"""Longer or multi-line tasks are shown as read from a file."""


def same_as(typed: Typed) -> str:
    """The shell command that submits the same, as safe text."""
    parts = ["fleet-tui", SUBMIT.name]
    defaults = Typed()
    for option, each in _OPTIONS.items():
        value = str(getattr(typed, each.field)).strip()
        if value and value != getattr(defaults, each.field):
            for word in words_of(value) if each.repeats else [value]:
                parts += [option, shlex.quote(word)]
    payload = typed.payload.strip()
    short = len(payload) <= MAX_TWIN_CHARS and payload.isprintable()
    parts += ["--", shlex.quote(payload)] if short and payload else ["--file", "task.txt"]
    return safe_line(" ".join(parts))
