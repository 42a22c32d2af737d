"""What the routing table says, without a screen."""

import msgspec

from fleet_tui.console.text.glyphs import UNICODE
from fleet_tui.console.views.routing import rows
from fleet_tui.core.fleet import Strategy
from fleet_tui.core.routing.decision import RoutingDecision
from tests.support.scene import seeded_decisions


def test_decisions_say_what_kind_they_are() -> None:
    kinds = [rows.decision_word(record) for record in seeded_decisions()[-6:]]
    assert kinds == ["round-robin", "held", "failover", "capability", "load-aware", "load-aware"]


def test_decisions_say_why() -> None:
    texts = [rows.decision_text(record) for record in seeded_decisions()[-6:]]
    assert texts[0] == "turn 1 of 10 · 9 candidates"
    assert texts[1] == "no agent: residency=eu-w1 and cap=gpu (0 of 4)"
    assert texts[5] == "score 0.91 · next agent-09 0.80 · 9 candidates"


def test_a_decision_without_candidates_waits() -> None:
    record = msgspec.structs.replace(
        seeded_decisions()[-1],
        decision=RoutingDecision(strategy=Strategy.LOAD_AWARE, policy="x", considered=3),
        attempt=0,
        pending=None,
    )
    assert rows.decision_word(record) == "waits"
    assert rows.decision_cells(record, UNICODE)["agent"].text == "→ -"
