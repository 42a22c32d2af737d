"""Each word of a closed vocabulary has a sign and a tone, and trouble looks like trouble."""

from fleet_tui.console.text.cells import Tone
from fleet_tui.console.text.glyphs import ASCII, UNICODE, Sign
from fleet_tui.console.text.looks import Look, agent_look, attempt_look, severity_look, task_look
from fleet_tui.core.agents.words import AgentWord
from fleet_tui.core.alerting.model import Severity
from fleet_tui.core.tasks.model import AttemptPhase, TaskPhase
from fleet_tui.core.tasks.words import TaskWord

LOUD = {Tone.WARN, Tone.ERROR}


def every_look() -> list[Look]:
    return [
        *map(agent_look, AgentWord),
        *map(task_look, TaskWord),
        *map(attempt_look, AttemptPhase),
        *map(severity_look, Severity),
    ]


def test_every_word_can_be_drawn_on_every_terminal() -> None:
    for look in every_look():
        assert UNICODE.sign(look.sign)
        assert ASCII.sign(look.sign).isascii()
    assert {look.sign for look in every_look()} == set(Sign)


def test_what_wants_an_operator_is_loud_and_what_is_well_is_not() -> None:
    for task in TaskWord:
        assert (task_look(task).tone in LOUD) is task.is_problem
    for agent in AgentWord:
        assert not agent.is_problem or agent_look(agent).tone in {*LOUD, Tone.BUSY}
        assert agent.is_problem or agent_look(agent).tone not in LOUD


def test_an_attempt_and_its_task_look_alike_where_they_share_a_word() -> None:
    shared = {phase.value for phase in AttemptPhase} & {word.value for word in TaskWord}
    assert shared > {TaskPhase.SUCCEEDED.value, AttemptPhase.UNKNOWN.value}
    for word in shared:
        assert attempt_look(AttemptPhase(word)) == task_look(TaskWord(word))


def test_louder_alerts_come_first() -> None:
    listed = sorted(Severity, key=lambda severity: severity.order)
    assert listed == [Severity.CRIT, Severity.WARN, Severity.INFO]
