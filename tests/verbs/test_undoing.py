"""What came of taking back: the same answer for the shell and the console."""

from fleet_tui.core.agents.commands import Cordon, Uncordon
from fleet_tui.core.ids import Seq
from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.refusals import RefusalCode
from fleet_tui.core.ledger.replies import Accepted, Refused, Reply
from fleet_tui.core.tasks.commands import Hold, Release
from fleet_tui.verbs.undoing import NOTHING_SENT, Undone, undoing, undone
from tests.support.scene import NOW_MS, agent_name, seeded_state, task_id

STATE = seeded_state()
AGENTS = (agent_name(1), agent_name(2), agent_name(3))
TASK = (task_id(48_220),)
BACK = (Cordon(agents=AGENTS), Hold(tasks=TASK))
FOUND = undoing(STATE, "ann", BACK, NOW_MS)
CORDON, HOLD = "cordon agent-01, agent-02 and agent-03", "hold t-48220"
REFUSED = Refused(code=RefusalCode.NO_REPLY, text="The engine broke off.")
AGAIN = Uncordon(agents=AGENTS)


def accepted(changed: int | None = None, *undo: Command) -> Accepted:
    return Accepted(seq=Seq(1), changed=changed, undo=undo)


def came(*replies: Reply) -> Undone:
    return undone(FOUND, replies)


def test_what_was_taken_back_is_told_and_can_be_done_again() -> None:
    found = came(accepted(3, AGAIN), accepted(1, Release(tasks=TASK)))
    assert found.done == found.told == [CORDON, HOLD]
    assert found.redo == [AGAIN, Release(tasks=TASK)]
    assert found.is_whole
    assert NOTHING_SENT.is_whole


def test_a_part_that_had_changed_is_told_and_it_is_not_whole() -> None:
    found = came(accepted(1, AGAIN), accepted())
    assert found.done == [CORDON, HOLD], "one that counts nothing did all of it"
    assert found.told == [f"{CORDON}; 2 agents had changed and stayed as they were", HOLD]
    assert not found.is_whole
    one = came(accepted(2), accepted()).told[0]
    assert one.endswith("; 1 agent had changed and stayed as it was")


def test_what_had_changed_altogether_stays_and_what_was_refused_is_left() -> None:
    found = came(accepted(0), REFUSED)
    assert (found.done, found.stayed, found.refused) == ([], [CORDON], [REFUSED])
    assert found.left == [BACK[1]]
    assert not found.is_whole
    assert not came(accepted(0), accepted()).is_whole
    assert not came(accepted(), REFUSED).is_whole
