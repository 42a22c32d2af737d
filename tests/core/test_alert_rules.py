"""The name of an alert and the rule behind it."""

import pytest

from fleet_tui.core.agents.model import Health
from fleet_tui.core.alerting.model import Alert, Severity
from fleet_tui.core.alerting.rules import AlertRule, agent_of, alert_id, rule_of, rule_of_health
from fleet_tui.core.ids import AlertId


def test_the_rule_behind_an_alert_is_found_by_its_name() -> None:
    for rule in AlertRule:
        assert rule_of(alert_id(rule, "a:b")) is rule
    assert alert_id(AlertRule.AGENT_DOWN, "agent-14") == "agent-down:agent-14"


@pytest.mark.parametrize("name", ["", "agent-down", "agent-gone:a1", "AGENT-DOWN:a1", ":a1"])
def test_a_name_of_another_release_has_no_rule_unless_it_is_one_of_ours(name: str) -> None:
    assert (rule_of(AlertId(name)) is None) is (name != "agent-down")


def test_a_rule_about_an_agent_says_the_word_for_its_health() -> None:
    told = {}
    for health in Health:
        rule = rule_of_health(health)
        if rule is not None:
            told[rule] = health.value
            assert rule.of_agent == health.value
    about_agents = {rule for rule in AlertRule if rule.of_agent is not None}
    assert about_agents == {*told, AlertRule.AGENT_FAILING}
    assert AlertRule.AGENT_FAILING.of_agent == "failing"


def test_an_alert_is_about_an_agent_where_its_rule_is() -> None:
    def about(id_: AlertId) -> str | None:
        alert = Alert(id=id_, severity=Severity.WARN, subject="queue", text="old", raised_at_ms=1)
        return agent_of(alert)

    assert about(alert_id(AlertRule.AGENT_DOWN, "queue")) == "queue"
    assert about(alert_id(AlertRule.ENGINE_HOLD, "queue")) is None
    assert about(AlertId("of-another-release:queue")) == "queue"
