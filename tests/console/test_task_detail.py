import msgspec
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from fleet_tui.console.shell.keymap import SHIPPED
from fleet_tui.console.text.cells import Cell, Tone
from fleet_tui.console.text.document import Pen, Section, Target, grid, line, plain, wrap
from fleet_tui.console.views.tasks.detail import answered, decision_of, span_ms, task_sections
from fleet_tui.core.ids import Epoch, RunId, Seq
from fleet_tui.core.ledger.events import Event, Recorded
from fleet_tui.core.tasks.events import TaskEnded, TaskPlaced, TaskSubmitted
from fleet_tui.core.tasks.evidence import Answer, LostReason, Usage
from fleet_tui.core.tasks.model import Attempt, AttemptPhase, HoldRecord, Task, TaskPhase
from fleet_tui.core.text.untrusted import Untrusted
from tests.support.scene import NOW_MS, agent_name, seeded_state, task_id

STATE = seeded_state()
PEN = Pen(keyed=SHIPPED.keyed)


def shown(task: Task, story: tuple[Recorded, ...] | None = ()) -> str:
    return "\n".join(plain(task_sections(task, story, STATE, PEN, NOW_MS)))


def judged() -> Task:
    return STATE.open_tasks[task_id(48_100)]


def tried(task: Task, *attempts: Attempt, **changes: object) -> Task:
    return msgspec.structs.replace(task, attempts=attempts, **changes)


def test_the_first_line_tells_task_priority_client_state_and_tries() -> None:
    first = shown(STATE.open_tasks[task_id(48_340)]).splitlines()[0]
    assert first == " t-48340  P3  globex  ▲ held 1m12s   attempts 0/3   class once"


def test_a_task_that_needs_a_person_shows_the_evidence_and_the_three_verdicts() -> None:
    last = judged().attempts[0]
    last = msgspec.structs.replace(
        last,
        unknown_since_ms=NOW_MS - 240_000,
        lost=LostReason.CONNECTION_LOST,
        boot_id="boot-14",
        detail=Untrusted("broken pipe\x1b[2J"),
    )
    text = shown(tried(judged(), last))
    part = text[text.index("Your verdict is needed") :].split("\n-")[0]
    assert "agent-14 was lost while it ran; it may have done the work" in part
    assert "unknown from here for 1m00s: the connection was lost" in part
    assert "agent-14 said that it started, boot boot-14" in part
    assert "broken pipe␛[2J" in part
    assert "V it ran / it did not run / run it again" in part


def test_in_a_recording_nothing_is_offered_that_can_no_longer_be_done() -> None:
    looking_back = Pen(can_act=False)
    held = msgspec.structs.replace(
        STATE.open_tasks[task_id(48_340)], hold=HoldRecord(by="ops", reason="", since_ms=NOW_MS)
    )
    dead = next(t for t in STATE.closed_tasks.values() if t.phase is TaskPhase.FAILED)
    for task, offer in ((judged(), "run it again"), (held, "releases"), (dead, "requeues")):
        assert offer in shown(task)
        sections = task_sections(task, (), STATE, looking_back, NOW_MS)
        assert offer not in "\n".join(plain(sections))
    assert "A verdict was needed" in "\n".join(
        plain(task_sections(judged(), (), STATE, looking_back, NOW_MS))
    )


def test_a_task_that_may_be_done_twice_says_so() -> None:
    assert "may run twice" not in shown(judged()).lower()
    twice = msgspec.structs.replace(judged(), duplicate_possible=True)
    assert "may run twice: an earlier run may have had effects" in shown(twice).lower()


def test_every_attempt_has_its_agent_phase_times_usage_and_cost() -> None:
    first = msgspec.structs.replace(
        judged().attempts[0], phase=AttemptPhase.DIED, reason="host-rebooted"
    )
    second = msgspec.structs.replace(
        first,
        run_id=RunId(f"{judged().id}.2"),
        number=2,
        agent=agent_name(9),
        phase=AttemptPhase.SUCCEEDED,
        started_at_ms=NOW_MS - 30_000,
        ended_at_ms=NOW_MS - 20_000,
        reason="",
        usage=Usage(input_tokens=40_000, output_tokens=1_000),
        cost_microusd=31_000,
    )
    task = tried(judged(), first, second, phase=TaskPhase.SUCCEEDED, reason="")
    rows = [" ".join(row.split()) for row in shown(task).splitlines()]
    assert "1 agent-14 ✗ died 11:42:52 18m39s - - its host was restarted while it ran" in rows
    assert "2 agent-09 ● succeeded 12:04:01 10s 41.0k $0.031" in rows
    sections = task_sections(task, (), STATE, PEN, NOW_MS)
    attempts = next(s for s in sections if s.title.startswith("Attempts"))
    assert [row.target for row in attempts.lines[1:]] == [
        Target(agent=agent_name(14)),
        Target(agent=agent_name(9)),
    ]


def test_the_answer_is_shown_whole_line_by_line_through_the_firewall() -> None:
    answer = Answer(
        text=Untrusted("# Done\n\n[/x] \x1b]52;c;cm0=\x07\ncafé\n"), size_bytes=31, truncated=True,
        sha256="cafe" * 16,
    )  # fmt: skip
    last = msgspec.structs.replace(
        judged().attempts[0], phase=AttemptPhase.SUCCEEDED, answer=answer
    )
    text = shown(tried(judged(), last, phase=TaskPhase.SUCCEEDED))
    part = text[text.index("- Answer - attempt 1, 31 B -") :]
    assert "\n # Done\n\n [/x] ␛]52;c;cm0=␇\n café\n" in part
    assert "2 invisible or control characters made visible above." in part
    assert "Cut here: the whole answer has 31 B" in part


def test_a_result_that_came_too_late_is_shown_and_named_so() -> None:
    late = msgspec.structs.replace(
        judged().attempts[0], late=True, answer=Answer(text=Untrusted("paid"), size_bytes=4)
    )
    task = tried(judged(), late)
    assert answered(task) is late
    assert "Answer - attempt 1, 4 B, too late, not counted" in shown(task)
    assert "given-up, late result" in shown(task)


def test_the_story_comes_from_the_ledger_in_order() -> None:
    task = judged()
    decision = task.attempts[0].decision
    events: tuple[Event, ...] = (
        TaskSubmitted(
            task=task.id, number=task.number, key=task.key, spec=task.spec, by="ops",
            payload_sha256="",
        ),
        TaskPlaced(
            task=task.id, run=RunId(f"{task.id}.1"), number=1, agent=agent_name(14),
            decision=decision,
        ),
        TaskEnded(task=task.id, phase=TaskPhase.FAILED, reason="model-error"),
    )  # fmt: skip
    story = tuple(
        Recorded(Seq(7 + at), NOW_MS - 9_000 + at * 1_000, Epoch(1), event)
        for at, event in enumerate(events)
    )
    sections = task_sections(task, story, STATE, PEN, NOW_MS)
    told = next(s for s in sections if s.title == "Story - 3 events")
    rows = plain([Section("", told.lines)])
    assert rows[0] == " 12:04:22 t-48100 submitted by ops, P2  #7"
    assert "t-48100 -> agent-14 by load-aware" in rows[1]
    assert rows[2] == " 12:04:24 t-48100 failed: model-error  #9"
    assert told.lines[1].target == Target(task=task.id, attempt=1)


def test_before_the_story_is_read_the_screen_says_that_it_is_being_read() -> None:
    assert "Reading the ledger…" in shown(judged(), None)
    assert "The ledger has no events of this task." in shown(judged(), ())


def test_the_decision_shown_is_the_waits_or_the_newest_attempts() -> None:
    waiting = STATE.open_tasks[task_id(48_340)]
    assert waiting.pending is not None
    assert decision_of(waiting, None) is waiting.pending.decision
    assert decision_of(judged(), None) is judged().attempts[0].decision
    assert decision_of(judged(), 1) is judged().attempts[0].decision
    assert decision_of(judged(), 9) is None


def test_the_time_shown_is_the_wait_the_run_or_the_whole_of_an_ended_task() -> None:
    assert span_ms(STATE.open_tasks[task_id(48_340)], NOW_MS) == 72_000
    running = next(t for t in STATE.open_tasks.values() if t.phase is TaskPhase.ACTIVE)
    assert running.attempts[0].started_at_ms is not None
    assert span_ms(running, NOW_MS) == NOW_MS - running.attempts[0].started_at_ms
    ended = msgspec.structs.replace(judged(), ended_at_ms=judged().submitted_at_ms + 5_000)
    assert span_ms(ended, NOW_MS) == 5_000


words = st.text(st.characters(codec="utf-8", categories=["L", "N", "Zs", "So"]), max_size=200)


@given(st.lists(words, max_size=4), st.integers(8, 60), st.integers(0, 80))
def test_wrapped_lines_fit_and_lose_nothing_but_spaces(
    pieces: list[str], width: int, indent: int
) -> None:
    cells = tuple(Cell(piece.replace("\u3000", " "), Tone.PLAIN) for piece in pieces)
    lines = wrap(cells, width, indent)
    for made in lines:
        assert sum(cell_len(cell.text) for cell in made) <= width
    joined = "".join(cell.text for made in lines for cell in made)
    whole = "".join(cell.text for cell in cells)
    assert joined.replace(" ", "") == whole.replace(" ", "")


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    lines = grid([("a", "1", "x"), ("bbb", "100", "long words")], right=frozenset({1}))
    assert plain([Section("", lines)]) == [" a      1  x", " bbb  100  long words"]
    assert lines[0].indent == 11
    assert grid([]) == ()
    assert line("x").cells[0] == Cell(" ")
