"""Which work is accepted, and when a full queue refuses it."""

import hashlib
from collections import Counter

from fleet_tui.core.fleet import Priority
from fleet_tui.core.ids import ClientName, KeyMark
from fleet_tui.core.ledger.decided import Decided, Decision
from fleet_tui.core.ledger.refusals import RefusalCode
from fleet_tui.core.ledger.replies import Refused
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.tasks.commands import Submit
from fleet_tui.core.tasks.defined import undefined
from fleet_tui.core.tasks.events import TaskSubmitted
from fleet_tui.core.tasks.keys import is_same_order, may_be_marked, task_of_mark
from fleet_tui.core.tasks.model import TaskSpec
from fleet_tui.core.text.firewall import safe_line
from fleet_tui.core.text.names import flaw_of, look_alike

MAX_OPEN_TASKS = 100_000
"""No fleet file can allow more open tasks than this."""

MAX_PAYLOAD_BYTES = 4 * 1024 * 1024
"""The largest message that an OpenClaw gateway accepts."""

MAX_SHOWN_NAME_CHARS = 80


def payload_sha256(spec: TaskSpec) -> str:
    """SHA-256 of the payload's UTF-8 bytes, hex. Raises UnicodeEncodeError for lone surrogates."""
    return hashlib.sha256(spec.payload.raw.encode()).hexdigest()


def submit(state: FleetState, by: str, command: Submit) -> Decision:
    """New work, or the existing task of its key, even if that could no longer be placed."""
    problem = _bad_payload(command.spec)
    if problem is not None:
        return problem
    digest = payload_sha256(command.spec)
    mark = state.keys.get(command.key)
    if mark is not None:
        return _same_key(state, mark, command, digest)
    problem = _bad_place(state, command.spec)
    if problem is not None:
        return problem
    if state.task(command.task) is not None:
        return Refused(
            code=RefusalCode.ID_TAKEN, text=(f"Task id {command.task} is already in use.")
        )
    wanted = RoomWanted()
    wanted.add(command.spec)
    problem = no_room(state, wanted)
    if problem is not None:
        return problem
    number = state.totals.submitted + 1
    submitted = TaskSubmitted(
        task=command.task,
        number=number,
        key=command.key,
        spec=command.spec,
        by=by,
        payload_sha256=digest,
    )
    return Decided(events=(submitted,), task=command.task, number=number)


def bad_spec(state: FleetState, spec: TaskSpec) -> Refused | None:
    """Why no agent could ever do this, if so."""
    return _bad_payload(spec) or _bad_place(state, spec)


def _same_key(state: FleetState, mark: KeyMark, command: Submit, digest: str) -> Decision:
    known_id = task_of_mark(mark)
    known = state.task(known_id)
    if known is not None:
        same = is_same_order(known.submitted_spec, command.spec)
    else:
        same = may_be_marked(mark, command.spec, digest)
    if not same:
        whose = known.label if known is not None else f"a task that ended long ago, {known_id}"
        return Refused(
            code=RefusalCode.KEY_CONFLICT,
            text=f"Key {command.key} belongs to {whose}, which has other contents.",
            hint="Use a new key for a new task.",
        )
    number = known.number if known is not None else None
    return Decided(task=known_id, number=number, duplicate=True)


class RoomWanted:
    """The capacity that orders need under each limit."""

    def __init__(self) -> None:
        self.tasks = 0
        self.lanes: Counter[Priority] = Counter()
        self.clients: Counter[ClientName] = Counter()

    def add(self, spec: TaskSpec) -> None:
        """One more."""
        self.tasks += 1
        self.lanes[spec.priority] += 1
        if spec.client is not None:
            self.clients[spec.client] += 1


def no_room(state: FleetState, wanted: RoomWanted) -> Refused | None:
    """The first limit that the orders would exceed, if any. No orders exceed none."""
    if not wanted.tasks:
        return None
    limits = state.fleet.limits
    most = min(limits.open, MAX_OPEN_TASKS)
    taken = len(state.open_tasks)
    if taken + wanted.tasks > most:
        return _full(RefusalCode.QUEUE_FULL, "The queue", most, taken, wanted.tasks, "limits.open")
    for priority, count in wanted.lanes.items():
        lane, name = limits.lanes.get(priority), priority.name
        taken = state.open_by_priority.get(priority, 0)
        if lane is not None and taken + count > lane:
            return _full(
                RefusalCode.LANE_FULL, f"Lane {name}", lane, taken, count, f"limits.lanes.{name}"
            )
    for client, count in wanted.clients.items():
        share = limits.of_client(client)
        taken = state.open_by_client.get(client, 0)
        if share is not None and taken + count > share:
            where = f"limits.clients.{client}"
            return _full(RefusalCode.CLIENT_FULL, f"Client {client}", share, taken, count, where)
    return None


def _full(
    code: RefusalCode, what: str, limit: int, taken: int, wanted: int, setting: str
) -> Refused:
    room = max(0, limit - taken)
    if room:
        text = f"{what} has room for {room:,} of {wanted:,} tasks: {limit:,} may be open."
    else:
        text = f"{what} is full: {taken:,} of at most {limit:,} tasks are open."
    return Refused(
        code=code,
        text=text,
        hint=f"Submit again when some have finished, or raise {setting} in the fleet file.",
    )


def _bad_payload(spec: TaskSpec) -> Refused | None:
    raw = spec.payload.raw
    if not raw.strip():
        return Refused(code=RefusalCode.EMPTY, text="The task has no text.")
    try:
        size = len(raw.encode())
    except UnicodeEncodeError as error:
        return Refused(
            code=RefusalCode.NOT_UTF8,
            text=f"The task is not valid text: character {error.start + 1}.",
        )
    if size > MAX_PAYLOAD_BYTES:
        return Refused(
            code=RefusalCode.TOO_LARGE,
            text=f"The task has {size:,} bytes; at most {MAX_PAYLOAD_BYTES:,} are allowed.",
        )
    if "\x00" in raw:
        at = raw.index("\x00") + 1
        return Refused(code=RefusalCode.NUL, text=f"The task has a NUL character at position {at}.")
    return None


def _bad_place(state: FleetState, spec: TaskSpec) -> Refused | None:
    return _bad_name(spec) or _twin(state, spec) or undefined(state.fleet, spec)


def _bad_name(spec: TaskSpec) -> Refused | None:
    """Refuse a name that could be confused with another, whoever sent it."""
    named = (
        *(("client", name) for name in (spec.client,) if name is not None),
        *(("project", name) for name in (spec.project,) if name is not None),
        *(("capability", name) for name in spec.needs),
        *(("region", name) for name in spec.regions),
        *(("label", name) for name in spec.labels),
        *(("label value", value) for value in spec.labels.values() if value),
    )
    for what, name in named:
        flaw = flaw_of(name)
        if flaw is not None:
            shown = safe_line(name, MAX_SHOWN_NAME_CHARS)
            return Refused(code=RefusalCode.BAD_NAME, text=f'The {what} "{shown}" {flaw}.')
    return None


def _twin(state: FleetState, spec: TaskSpec) -> Refused | None:
    """Whether the client's name looks like another's, which has other limits and agents."""
    if spec.client is None or spec.client in state.open_by_client:
        return None
    fleet = state.fleet
    named = (
        *fleet.limits.clients,
        *fleet.isolated,
        *fleet.clients,
        *(client for agent in fleet.agents.values() for client in agent.clients),
        *(rule.client for rule in fleet.residency if rule.client is not None),
    )
    ended = (task.spec.client for task in state.ended_tasks() if task.spec.client is not None)
    other = look_alike(spec.client, dict.fromkeys((*named, *state.open_by_client, *ended)))
    if other is None:
        return None
    shown = safe_line(spec.client, MAX_SHOWN_NAME_CHARS)
    return Refused(
        code=RefusalCode.LOOKS_LIKE,
        text=f'The client "{shown}" looks like {other}, and would be a different client.',
        hint=f"Write {other}, or a name that cannot be confused with it.",
    )
