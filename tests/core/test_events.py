"""Events know their kind and the task that they are about."""

import msgspec

from fleet_tui.core.agents.events import FailoverResumed
from fleet_tui.core.ids import PoolName, RunId, TaskId
from fleet_tui.core.ledger import events as e
from fleet_tui.core.tasks.events import AttemptStarted, TaskReleased


def test_the_kind_of_an_event_is_the_one_it_is_stored_with() -> None:
    for event in (
        FailoverResumed(pool=PoolName("p")),
        TaskReleased(task=TaskId("T"), by="me"),
        AttemptStarted(run=RunId("T.1")),
    ):
        stored = msgspec.json.decode(msgspec.json.encode(event))
        assert e.kind_of(event) in stored.values()
    unknown = e.UnknownEvent(kind="of-tomorrow", body=b"{}")
    assert e.kind_of(unknown) == "of-tomorrow"


def test_an_event_tells_the_task_it_is_about() -> None:
    assert e.task_of(TaskReleased(task=TaskId("T"), by="me")) == "T"
    assert e.task_of(AttemptStarted(run=RunId("T.1"))) == "T"
    assert e.task_of(AttemptStarted(run=RunId("no run"))) is None
    assert e.task_of(FailoverResumed(pool=PoolName("p"))) is None
