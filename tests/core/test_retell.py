"""A task out of its own events, in one piece or from any point on."""

from fleet_tui.core.fleet import RetryPolicy, TaskClass
from fleet_tui.core.ids import Epoch
from fleet_tui.core.ledger.events import task_of
from fleet_tui.core.tasks.events import TaskRetrying
from fleet_tui.core.tasks.evidence import Died, Finished, Started
from fleet_tui.core.tasks.model import TaskPhase
from fleet_tui.core.tasks.retell import retell
from tests.support.task import Run


def test_a_task_goes_on_from_any_point_of_its_story_as_if_told_from_its_beginning() -> None:
    run = Run(TaskClass.IDEMPOTENT, retry=RetryPolicy(max_attempts=1))
    run.fact(Started())
    run.fact(Died(reason="gone"))
    assert run.task.phase is TaskPhase.FAILED
    run.story.add(TaskRetrying(task=run.id, not_before_ms=0, reason="requeued by ann"))
    run.place()
    run.fact(Started())
    run.fact(Finished(ok=True))
    rows = [row for row in run.story.rows if task_of(row.event) == run.id]
    whole = retell(run.id, rows).task
    assert whole is not None
    assert whole.phase is TaskPhase.SUCCEEDED
    assert [attempt.epoch for attempt in whole.attempts] == [Epoch(1), Epoch(1)]
    for cut in range(1, len(rows)):
        before = retell(run.id, rows[:cut]).task
        assert before is not None
        assert retell(run.id, rows[cut:], before).task == whole, cut
