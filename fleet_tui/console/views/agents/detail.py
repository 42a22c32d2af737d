"""One agent for operators: identity, health and since when, its work."""

import json
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from fleet_tui.base.redact import redact
from fleet_tui.console.text.cells import Cell, Tone
from fleet_tui.console.text.document import (
    DetailLine,
    Pen,
    Section,
    Target,
    attempt_word,
    boot,
    facts,
    grid,
    line,
    name,
    paragraph,
    short,
)
from fleet_tui.console.text.glyphs import Sign
from fleet_tui.console.text.looks import agent_look, attempt_look, level_tone
from fleet_tui.console.text.story import story_line
from fleet_tui.core.agents.events import AboutAgent
from fleet_tui.core.agents.model import AgentState, Health
from fleet_tui.core.agents.troubles import cure_of, next_trial, trouble_of
from fleet_tui.core.agents.vitals import ProbeFailure, ProbeResult, VitalsReading
from fleet_tui.core.agents.words import health_word
from fleet_tui.core.fleet import AgentSpec, CommandAgent, FleetSpec, LocalAgent, OpenClawAgent
from fleet_tui.core.ids import AgentName, HostName
from fleet_tui.core.ledger.events import Event, Recorded
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.logs import Level, LogLine
from fleet_tui.core.tasks.model import Attempt, Task
from fleet_tui.core.tasks.open_run import notes
from fleet_tui.core.text import words
from fleet_tui.core.text.firewall import safe_text

MAX_PROBES = 60
"""In the strip of an agent's screen."""

MAX_TASKS = 12
MAX_LAST_LINES = 50
MAX_HEALTH_CHANGES = 40

_TRACES = {True: (Sign.GOOD, Tone.OK), False: (Sign.BAD, Tone.ERROR)}


def agent_sections(
    agent: AgentState,
    state: FleetState,
    probes: Sequence[ProbeResult],
    changes: Sequence[Recorded] | None,
    lines: Sequence[LogLine] | None,
    pen: Pen,
    now_ms: int,
) -> list[Section]:
    """Everything about an agent. ``probes`` are oldest first; for the others None means still being
    fetched."""
    spec = state.fleet.agents.get(agent.name)
    last = probes[-1] if probes else None
    head = [head_line(agent, spec, pen, now_ms), *_health_lines(agent, spec, pen, now_ms)]
    sections = [
        Section("", (*head, *_identity(agent, spec, state.fleet), _money(agent, spec))),
        Section(_probe_title(spec), tuple(_probes(probes, last, pen, now_ms))),
        _work(agent.name, state, pen, now_ms),
        _timeline(changes, state, pen),
        _last_lines(lines, pen),
    ]
    return sections


def head_line(agent: AgentState, spec: AgentSpec | None, pen: Pen, now_ms: int) -> DetailLine:
    """``gpu > agent-14   ✗ down 3m04s   cordoned by ann``."""
    cells: list[Cell] = []
    if spec is not None:
        cells.append(Cell(f"{name(spec.pool)} > ", Tone.DIM))
    cells.append(Cell(name(agent.name), Tone.TITLE))
    word = health_word(agent.health)
    look = agent_look(word)
    cells.append(Cell(f"   {pen.sign(look.sign)} {word}", look.tone))
    cells.append(Cell(f" {words.age(agent.since_ms or None, now_ms)}"))
    if agent.quarantine_until_ms is not None:
        cells.append(Cell(f" until {pen.clock(agent.quarantine_until_ms)}"))
    if agent.cordon is not None:
        said = f": {short(agent.cordon.reason)}" if agent.cordon.reason else ""
        cells.append(Cell(f"   {pen.sign(Sign.ASIDE)} cordoned by {name(agent.cordon.by)}{said}",
                          Tone.BUSY))  # fmt: skip
        cells.append(Cell(f" {words.age(agent.cordon.since_ms, now_ms)}", Tone.DIM))
    return line(*cells)


def _health_lines(
    agent: AgentState, spec: AgentSpec | None, pen: Pen, now_ms: int
) -> list[DetailLine]:
    """Since when and why, with the remote details, and the remedy."""
    if agent.health is Health.UP and not agent.reason:
        return []
    pairs: list[tuple[str, str | Cell]] = [("since", pen.clock(agent.since_ms or None))]
    if agent.reason:
        pairs.append(("because", short(agent.reason)))
    if agent.failure is not None:
        pairs.append(("failure", Cell(agent.failure.text, Tone.ERROR)))
    made = [facts(pairs)]
    if agent.detail:
        made.append(line(Cell("heard ", Tone.DIM), short(agent.detail), indent=7))
    if agent.on_probation(now_ms) is not None:
        text = "On probation: until a task succeeds, one failure takes it out of routing again."
        made.append(paragraph(text, Tone.WARN))
    if agent.failure is not None and agent.failure.is_permanent:
        text = f"Probing again will not help; an operator must fix this: {cure_of(agent)}."
        made.append(paragraph(text, Tone.WARN))
    elif trouble_of(agent) is not None and agent.health is not Health.RETIRED:
        helps = [cure_of(agent), next_trial(agent, spec, now_ms, pen.offset_minutes)]
        said = "; ".join(text for text in helps if text is not None)
        made.append(line(Cell("to do ", Tone.DIM), said, indent=7))
    return made


def _identity(agent: AgentState, spec: AgentSpec | None, fleet: FleetSpec) -> list[DetailLine]:
    if spec is None:
        return [paragraph("No longer in the fleet file.", Tone.DIM)]
    caps = " ".join(sorted(spec.capabilities)) or words.MISSING
    clients = " ".join(spec.clients) if spec.clients else "all"
    made = [
        facts([("host", _reached_by(spec.host, fleet)), ("region", name(spec.region or "-"))]),
        facts([("capabilities", short(caps)), ("clients", short(clients))]),
    ]
    if spec.projects:
        made.append(facts([("projects", short(" ".join(spec.projects)))]))
    version = agent.version or words.MISSING
    made.append(facts([("kind", _kind_word(spec)), ("version", short(version)),
                       ("boot", boot(agent.boot_id))]))  # fmt: skip
    made += [paragraph(f"On this release {limit.text}.", Tone.DIM) for limit in agent.limits]
    return made


def _reached_by(host: HostName | None, fleet: FleetSpec) -> str:
    """The host and the path to it: ``gpu4 (ops@10.0.0.4:22, jump bastion, ssh_config on)``."""
    if host is None:
        return "this machine"
    spec = fleet.hosts.get(host)
    if spec is None:
        return name(host)
    address = f"{spec.user}@{spec.address}" if spec.user else spec.address
    way = [f"{address}:{spec.port}" if spec.port else address]
    way += [f"jump {spec.jump}"] if spec.jump else []
    way += ["jump none"] if spec.direct else []
    way += [] if spec.use_ssh_config else ["ssh_config off"]
    return short(f"{host} ({', '.join(way)})")


def _kind_word(spec: AgentSpec) -> str:
    match spec.kind:
        case OpenClawAgent(port=port, agent_id=agent_id):
            return short(f"openclaw {agent_id} on port {port}")
        case CommandAgent(command=command):
            return short(f"command {' '.join(command)}")
        case LocalAgent(command=command):
            return short(f"local {' '.join(command)}")


def _money(agent: AgentState, spec: AgentSpec | None) -> DetailLine:
    slots = spec.slots if spec is not None else 0
    done = agent.succeeded + agent.failed
    share = f" ({words.percent(100 * agent.failed / done)} failed)" if done else ""
    pairs: list[tuple[str, str | Cell]] = [
        ("slots", f"{len(agent.runs)}/{slots}"),
        (
            "runs",
            f"{words.grouped(agent.succeeded)} ok, {words.grouped(agent.failed)} failed{share}",
        ),
        ("cost", words.cost(agent.cost_microusd, is_unknown=agent.has_unknown_cost)),
        ("tokens", words.count(agent.tokens)),
    ]
    if spec is not None and spec.prices.per_hour_microusd:
        pairs.append(("price", words.money_rate(spec.prices.per_hour_microusd)))
    return facts(pairs)


# --- probes ---


def _probe_title(spec: AgentSpec | None) -> str:
    return f"Probes - every {words.about(spec.probe.every_ms)}" if spec is not None else "Probes"


def _probes(
    probes: Sequence[ProbeResult], last: ProbeResult | None, pen: Pen, now_ms: int
) -> list[DetailLine]:
    """The newest probe in numbers, and whether those before it were answered."""
    if last is None:
        return [paragraph("Not probed yet.", Tone.DIM)]
    made = [_strip(probes, pen)]
    ago = f"{words.age(last.observed_at_ms, now_ms)} ago"
    match last:
        case VitalsReading():
            made.append(_reading(last, ago))
            if not last.ready:
                made.append(
                    paragraph(short(f"not ready: {last.note or 'does not say why'}"), Tone.WARN)
                )
                if last.said:
                    made.append(line(Cell("heard ", Tone.DIM), short(last.said), indent=7))
        case ProbeFailure():
            failed = facts([("last probe", ago), ("failed", Cell(last.kind.value, Tone.ERROR))])
            made.append(failed)
            if last.detail:
                made.append(line(Cell("heard ", Tone.DIM), short(last.detail), indent=7))
    return made


def _strip(probes: Sequence[ProbeResult], pen: Pen) -> DetailLine:
    """``probes ●●●✗✗ last ok 12:01:27``; the newest is on the right."""
    cells = [Cell("probes ", Tone.DIM)]
    for probe in probes[-MAX_PROBES:]:
        answered = isinstance(probe, VitalsReading)
        sign, tone = _TRACES[answered]
        if isinstance(probe, VitalsReading) and not probe.ready:
            sign, tone = Sign.WARNING, Tone.WARN
        cells.append(Cell(pen.sign(sign), tone))
    ok = next((k.observed_at_ms for k in reversed(probes) if isinstance(k, VitalsReading)), None)
    cells.append(Cell("   last ok ", Tone.DIM))
    cells.append(Cell(pen.clock(ok)))
    return line(*cells, indent=7)


def _reading(reading: VitalsReading, ago: str) -> DetailLine:
    """The values that the agent reported."""
    pairs: list[tuple[str, str | Cell]] = [
        ("last probe", ago),
        ("answered in", words.latency(reading.latency_ms)),
    ]
    numbers: list[tuple[str, str]] = [
        ("active", str(reading.active) if reading.active is not None else ""),
        ("queued", str(reading.queued) if reading.queued is not None else ""),
        ("cpu", words.percent(reading.cpu_percent, 0)),
        ("memory", words.percent(reading.memory_percent, 0)),
        ("load", f"{reading.load_average:.1f}" if reading.load_average is not None else ""),
        ("disk free", words.size(reading.disk_free_bytes)),
        ("loop lag p99", words.latency(reading.loop_lag_ms_p99)),
        ("clock off by", words.latency(reading.clock_skew_ms)),
    ]
    pairs.extend((label, value) for label, value in numbers if value not in ("", words.MISSING))
    return facts(pairs)


# --- work ---


def tasks_of(agent: AgentName, state: FleetState) -> list[tuple[Task, Attempt]]:
    """Tasks that were tried on this agent, with the newest such attempt; newest first."""
    found: list[tuple[Task, Attempt]] = []
    for task in state.tasks():
        here = [attempt for attempt in task.attempts if attempt.agent == agent]
        if here:
            found.append((task, here[-1]))
    found.sort(key=lambda pair: (pair[1].phase.is_open, pair[1].planned_at_ms), reverse=True)
    return found


def _work(agent: AgentName, state: FleetState, pen: Pen, now_ms: int) -> Section:
    """Its current and past runs, and their outcomes."""
    found = tasks_of(agent, state)
    running = sum(attempt.phase.is_open for _, attempt in found)
    title = f"Work - {running} running, {len(found) - running} earlier"
    if not found:
        return Section(title, (paragraph("No task was tried here yet.", Tone.DIM),))
    rows: list[Sequence[Cell | str]] = []
    targets: list[Target | None] = []
    for task, attempt in found[:MAX_TASKS]:
        rows.append(
            (
                task.label,
                task.spec.priority.name,
                task.spec.task_class.value,
                Cell(attempt_word(attempt), attempt_look(attempt.phase).tone),
                pen.clock(attempt.ended_at_ms or attempt.started_at_ms or attempt.planned_at_ms),
                outcome(task, attempt, state, pen, now_ms),
            )
        )
        targets.append(Target(task=task.id))
    lines = list(grid(rows, targets=targets))
    if len(found) > MAX_TASKS:
        more = words.plural(len(found) - MAX_TASKS, "earlier task")
        lines.append(paragraph(f"{more} not shown; {pen.keyed('{tasks} lists all')}.", Tone.DIM))
    return Section(title, tuple(lines))


def outcome(task: Task, attempt: Attempt, state: FleetState, pen: Pen, now_ms: int) -> str:
    """The outcome of a task after this attempt."""
    if attempt.phase.is_open:
        since = attempt.unknown_since_ms or attempt.started_at_ms or attempt.planned_at_ms
        told = notes(state, task, now_ms, pen.offset_minutes)
        return "; ".join([f"for {words.age(since, now_ms)}", *told])
    later = next((a for a in task.attempts if a.number > attempt.number), None)
    if later is not None:
        return short(f"tried again on {later.agent}, {later.phase.value}")
    return short(f"task {task.phase.value}" + (f": {task.reason}" if task.reason else ""))


# --- the past ---


def about_agent(event: Event, agent: AgentName) -> bool:
    """Whether an event belongs in the timeline of an agent's health."""
    return isinstance(event, AboutAgent) and event.agent == agent


def health_changes(events: Iterable[Recorded], agent: AgentName) -> list[Recorded]:
    """The newest MAX_HEALTH_CHANGES of an agent's changes, oldest first."""
    return [r for r in events if about_agent(r.event, agent)][-MAX_HEALTH_CHANGES:]


def _timeline(changes: Sequence[Recorded] | None, state: FleetState, pen: Pen) -> Section:
    if changes is None:
        return Section("Timeline", (paragraph("Reading the ledger…", Tone.DIM),))
    if not changes:
        return Section("Timeline", (paragraph("No change of health in recent events.", Tone.DIM),))
    told = (story_line(recorded, state, pen) for recorded in reversed(changes))
    lines = tuple(row._replace(target=None) for row in told if row is not None)
    return Section("Timeline - newest first", lines)


def _last_lines(lines: Sequence[LogLine] | None, pen: Pen) -> Section:
    if lines is None:
        return Section("Last log lines", (paragraph("Reading the log store…", Tone.DIM),))
    if not lines:
        empty = (
            "Nothing stored for this agent. A log_file in the fleet file makes its lines appear."
        )
        return Section("Last log lines", (paragraph(empty, Tone.DIM),))
    made: list[DetailLine] = []
    for entry in lines[-MAX_LAST_LINES:]:
        word = "-" if entry.level is Level.UNKNOWN else entry.level.name
        made.append(
            line(
                Cell(f"{pen.clock(entry.received_at_ms)} ", Tone.DIM),
                Cell(f"{word:<5} ", level_tone(entry.level)),
                short(entry.text),
                indent=16,
            )
        )
    return Section("Last log lines", tuple(made))


# --- definition ---


def definition_lines(spec: AgentSpec, fleet: FleetSpec) -> tuple[str, ...]:
    """The agent as declared, every default applied, in the style of the fleet file.

    Names of environment variables are shown, their values are not: they may be secrets.
    """
    body: object = msgspec.to_builtins(spec, order="deterministic")
    made = [f"# from {fleet.source or 'the fleet file'}, defaults of pool and fleet applied"]
    made.extend(_yaml(body, 0))
    return tuple(shown for text in made for shown in safe_text(redact(text)))


_HIDDEN_VALUES = frozenset({"env"})

_CONTAINERS = (Mapping, list, tuple, set, frozenset)


def _yaml(value: object, depth: int, key: str = "") -> list[str]:
    """Builtins as block style YAML, without empty or unset values."""
    pad = "  " * depth
    made: list[str] = []
    match value:
        case Mapping():
            for name_, item in value.items():
                if item is None or item in ([], {}, (), ""):
                    continue
                if isinstance(item, _CONTAINERS):
                    made.append(f"{pad}{name_}:")
                    made.extend(_yaml(item, depth + 1, str(name_)))
                else:
                    shown = "(not shown)" if key in _HIDDEN_VALUES else _scalar(item)
                    made.append(f"{pad}{name_}: {shown}")
        case list() | tuple() | set() | frozenset():
            made.extend(f"{pad}- {_scalar(item)}" for item in value)
        case _:  # one value alone
            made.append(f"{pad}{_scalar(value)}")
    return made


def _scalar(value: object) -> str:
    """A value in a form that YAML reads back. Raises TypeError for a container: its content may
    have to be hidden."""
    if isinstance(value, _CONTAINERS):
        raise TypeError(f"a {type(value).__name__} is no value of one line")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return json.dumps(str(value), ensure_ascii=False)
