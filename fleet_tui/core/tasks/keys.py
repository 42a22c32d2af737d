"""The value stored for a submitter's key: a task, and a digest of its order.

Tasks that ended long ago are forgotten before their keys are. So the key keeps the task's id and a
digest of the order, ``<task>.<12 hex digits>``; ledgers of earlier versions kept the id alone.
"""

import hashlib

import msgspec
from msgspec.structs import replace

from fleet_tui.core.ids import KeyMark, TaskId
from fleet_tui.core.tasks.model import TaskSpec

_DIGEST_BYTES = 6
"""Protects against mistakes, not against malice: submitter and engine are the same user."""


def key_mark(task: TaskId, spec: TaskSpec, payload_sha256: str) -> KeyMark:
    """The value stored for a key; ``payload_sha256`` is of the order's own payload."""
    return KeyMark(f"{task}.{_digest(spec, payload_sha256)}")


def task_of_mark(mark: KeyMark) -> TaskId:
    """The task that a key stands for."""
    return TaskId(mark.partition(".")[0])


def may_be_marked(mark: KeyMark, spec: TaskSpec, payload_sha256: str) -> bool:
    """Whether this order may be the one submitted under the key; a mark without a digest matches
    any."""
    digest = mark.partition(".")[2]
    return not digest or digest == _digest(spec, payload_sha256)


def is_same_order(one: TaskSpec, other: TaskSpec) -> bool:
    """Whether two orders are the same. A deadline that was not written is the fleet's, as it was
    when the order was made."""
    if one == other:
        return True
    if one.written_deadlines is None or other.written_deadlines is None:
        return replace(one, written_deadlines=None) == replace(other, written_deadlines=None)
    as_written = (replace(each, deadlines=None, written_deadlines=None) for each in (one, other))
    return _written(one) == _written(other) and next(as_written) == next(as_written)


def _written(spec: TaskSpec) -> dict[str, int | None]:
    """The deadlines that the order itself names, in milliseconds."""
    if spec.deadlines is None:
        return {}
    fields, names = spec.deadlines.__struct_fields__, spec.written_deadlines
    # A foreign recording may name unknown deadlines.
    written = fields if names is None else [name for name in fields if name in names]
    return {name: getattr(spec.deadlines, name) for name in sorted(written)}


def _digest(spec: TaskSpec, payload_sha256: str) -> str:
    """The digest of the whole order. Ledgers store it: its format never changes, and a new field
    may be included only where it is not the default."""
    order = (
        payload_sha256,
        sorted(spec.needs),
        spec.pool,
        spec.agent,
        spec.client,
        spec.project,
        spec.regions,
        spec.priority,
        spec.task_class,
        _written(spec),
        sorted(spec.labels.items()),
    )
    packed = msgspec.json.encode(order)
    return hashlib.blake2b(packed, digest_size=_DIGEST_BYTES).hexdigest()
