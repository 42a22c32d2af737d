import msgspec
import pytest

from fleet_tui.console.text.document import Pen, Section, Target, plain
from fleet_tui.console.text.glyphs import ASCII
from fleet_tui.console.views.routing.why import needs_line, record_sections, why_sections
from fleet_tui.console.views.tasks.detail import why_of
from fleet_tui.core.fleet import Strategy
from fleet_tui.core.ids import AgentName
from fleet_tui.core.routing.decision import (
    Candidate,
    Pending,
    PendingCode,
    Rejection,
    RoutingDecision,
    Rule,
    ScoreTerm,
)
from fleet_tui.core.tasks.model import Task, TaskSpec
from fleet_tui.core.text.untrusted import Untrusted
from tests.support.console import console, press, running
from tests.support.scene import NOW_MS, seeded_fleet, seeded_state, task_id

STATE = seeded_state()
FLEET = STATE.fleet
PEN = Pen()


def texts(sections: list[Section]) -> str:
    return "\n".join(plain(sections))


def held() -> Task:
    return STATE.open_tasks[task_id(48_340)]


def placed(**changes: object) -> RoutingDecision:
    decision = RoutingDecision(
        strategy=Strategy.LOAD_AWARE,
        policy=FLEET.digest,
        considered=20,
        rejections=(
            Rejection(rule=Rule.STATE, wanted="up", count=2, left=18, example="agent-14 is down"),
        ),
        fitting=9,
        candidates=(
            Candidate(
                agent=AgentName("agent-03"),
                score=0.82,
                terms=(ScoreTerm("load", 0.6), ScoreTerm("warm", 0.32), ScoreTerm("tried", -0.1)),
            ),
            Candidate(agent=AgentName("agent-09"), score=0.71, terms=(ScoreTerm("load", 0.71),)),
        ),
        note="turn 3 of 10",
    )
    return msgspec.structs.replace(decision, **changes)


def test_a_held_task_shows_every_rule_with_what_it_removed_and_what_would_help() -> None:
    shown = texts(why_of(held(), None, STATE, PEN, NOW_MS))
    lines = [line.split() for line in shown.splitlines()]
    assert "HELD - no agent: gpu in eu-w1 for globex (0 of 20)   1m12s" in shown
    assert "- Candidates: 20 considered, 0 fit -" in shown
    assert ["capability", "gpu", "16", "4", "agent-01", "has", "no", "gpu"] in lines
    assert ["residency", "eu-w1", "2", "2", "agent-13", "is", "in", "us-e1"] in lines
    assert [
        "isolation",
        "client",
        "globex",
        "2",
        "0",
        "agent-12",
        "is",
        "reserved",
        "for",
        "acme",
    ] in lines
    assert "- What would help -\n add or move a gpu agent to eu-w1" in shown


def test_the_needs_name_the_policy_and_its_line_in_the_fleet_file() -> None:
    shown = "".join(cell.text for cell in needs_line(held().spec, FLEET).cells)
    assert "capability gpu" in shown
    assert "residency eu-w1 (policy client=globex, line 41)" in shown
    assert "client globex" in shown
    other = needs_line(TaskSpec(payload=Untrusted("x")), FLEET)
    assert "residency" not in "".join(cell.text for cell in other.cells)


def test_a_placed_task_ends_with_the_sum_the_runner_up_and_the_margin() -> None:
    shown = texts(why_sections(placed(), None, FLEET, PEN, NOW_MS))
    assert "PLACED → agent-03   turn 3 of 10" in shown
    assert "agent-03  0.82  = load 0.60 + warm 0.32 - tried 0.10" in shown
    assert "runner-up agent-09   margin 0.11" in shown
    assert "7 more candidates scored lower." in shown
    assert f"policy {FLEET.digest[:12]} (in force now)" in shown


def test_without_a_runner_up_it_says_so() -> None:
    only = placed(candidates=placed().candidates[:1], fitting=1)
    shown = texts(why_sections(only, None, FLEET, PEN, NOW_MS))
    assert "No runner-up" in shown
    assert "margin" not in shown


def test_a_decision_of_another_fleet_file_does_not_claim_to_be_in_force() -> None:
    shown = texts(why_sections(placed(policy="beef" * 16), None, FLEET, PEN, NOW_MS))
    assert "policy beefbeefbeef" in shown
    assert "in force" not in shown


@pytest.mark.parametrize("code", list(PendingCode))
def test_every_reason_to_wait_has_words(code: PendingCode) -> None:
    pending = Pending(code=code, since_ms=NOW_MS - 5_000)
    first = texts(why_sections(None, pending, FLEET, PEN, NOW_MS)).splitlines()[0]
    assert first.startswith(" HELD - " if code.is_held else " WAITING - ")
    assert first.endswith("   5s")
    assert len(first) > len(" WAITING -    5s")


@pytest.mark.parametrize("rule", Rule)
def test_every_rule_that_removes_agents_has_words(rule: Rule) -> None:
    decision = RoutingDecision(
        strategy=Strategy.ROUND_ROBIN,
        policy="9f2c51d07ab3",
        considered=2,
        rejections=(Rejection(rule=rule, wanted="", count=2, left=0),),
    )
    assert rule.value in "\n".join(plain(why_sections(decision, None, FLEET, Pen(), NOW_MS)))


def test_a_task_without_any_decision_says_that_there_is_none() -> None:
    assert texts(why_sections(None, None, FLEET, PEN, NOW_MS)) == " No decision yet."


def test_a_line_of_the_routing_pane_keeps_its_own_decision() -> None:
    record = next(r for r in STATE.decisions if r.decision.chosen is not None)
    task = STATE.task(record.task)
    sections = record_sections(record, task, FLEET, PEN, NOW_MS)
    shown = texts(sections)
    assert f"t-{record.task_number}" in shown.splitlines()[0]
    assert f"PLACED → {record.decision.chosen}" in shown
    assert sections[0].lines[0].target == Target(task=record.task)


def test_names_in_a_recording_cannot_act_on_the_terminal() -> None:
    evil = "\x1b]0;owned\x07agent\u202e"
    decision = placed(
        candidates=(Candidate(agent=AgentName(evil), score=1.0),),
        rejections=(Rejection(rule=Rule.POOL, wanted=evil, count=1, left=1, example=evil),),
        note=evil,
        policy=evil,
    )
    pending = Pending(code=PendingCode.HOLD, since_ms=0, detail=evil, remedy=evil)
    for sections in (
        why_sections(decision, pending, FLEET, PEN, NOW_MS),
        why_sections(None, pending, FLEET, PEN, NOW_MS),
    ):
        assert texts(sections).replace("\n", "").isprintable()


def test_ascii_terminals_get_ascii_signs() -> None:
    shown = texts(why_sections(placed(), None, seeded_fleet(), Pen(ASCII), NOW_MS))
    assert "PLACED > agent-03" in shown


async def test_a_page_does_not_offer_the_way_to_itself() -> None:
    app = console()
    async with running(app) as pilot:
        assert "i why" in await press(pilot, "3")
        page = await press(pilot, "enter")
        assert "i why" in page
        assert "d details" not in page
        why = await press(pilot, "i")
        assert "i why" not in why
        assert "explain the routing: this is the explanation" in await press(pilot, "i")
        assert "d details" in why, "the task's page is elsewhere"
        assert "y definition" in await press(pilot, "2", "enter")
        assert "y definition" not in await press(pilot, "y")
