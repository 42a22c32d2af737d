"""Names and numbers that identify things, as types that cannot be mixed up."""

from typing import NewType

AgentName = NewType("AgentName", str)
PoolName = NewType("PoolName", str)
HostName = NewType("HostName", str)
ClientName = NewType("ClientName", str)
Region = NewType("Region", str)
Capability = NewType("Capability", str)

TaskId = NewType("TaskId", str)
"""A ULID (26 characters of Crockford base 32), made where the task is submitted."""

RunId = NewType("RunId", str)
"""``<task id>.<attempt number>``: a pure function of journaled facts, so any engine derives it."""

AlertId = NewType("AlertId", str)
"""``<rule>:<subject>``, such as ``agent-down:agent-14``: one open alert per rule and subject."""

Seq = NewType("Seq", int)
"""Position in the ledger. The first event has 1; 0 means before everything."""

KeyMark = NewType("KeyMark", str)
"""The value kept for a submitter's key: see core.tasks.keys."""

Epoch = NewType("Epoch", int)
"""The number of engines that have owned this ledger, this one included. A lower epoch may not
write."""

NOWHERE = Seq(0)


def run_id(task: TaskId, attempt: int) -> RunId:
    """The id of a task's attempt; attempts count from 1."""
    assert attempt >= 1, attempt
    return RunId(f"{task}.{attempt}")


def split_run_id(run: RunId) -> tuple[TaskId, int]:
    """The task and attempt number of a run id. Raises ValueError for anything else."""
    task, _, attempt = run.rpartition(".")
    if not task:
        raise ValueError(f"not a run id: {run!r}")
    return TaskId(task), int(attempt)


def task_label(number: int) -> str:
    """The name of a task that people read and type: ``t-42``."""
    return f"t-{number}"


def task_number(text: str) -> int | None:
    """The number meant by ``t-42`` or ``42``; None for anything else."""
    digits = text.removeprefix("t-")
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 16 else None
