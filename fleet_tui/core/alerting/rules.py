"""The closed list of alert rules, and the alert ids made from them."""

from enum import StrEnum
from typing import Final, NamedTuple, assert_never

from fleet_tui.core.agents.model import Health
from fleet_tui.core.alerting.model import Alert, Severity
from fleet_tui.core.ids import AgentName, AlertId


class AlertRule(StrEnum):
    """What raises an alert."""

    AGENT_UNREACHABLE = "agent-unreachable"
    AGENT_DOWN = "agent-down"
    AGENT_QUARANTINED = "agent-quarantined"
    AGENT_DEGRADED = "agent-degraded"
    AGENT_STARTING = "agent-starting"
    AGENT_FAILING = "agent-failing"
    FAILOVER_BRAKED = "failover-frozen"
    POOL_EMPTY = "pool-empty"
    ENGINE_HOLD = "engine-hold"
    ENGINE_TROUBLE = "engine-trouble"
    FLEET_FILE = "fleet-file"
    DEAD_LETTERS = "dead-letters"
    MODEL_OUTAGE = "model-outage"
    NEEDS_OPERATOR = "needs-operator"
    UNKNOWN_RUNS = "unknown-runs"
    HELD = "held"
    RETRY_BUDGET = "retry-budget"
    LONG_WAIT = "long-wait"

    @property
    def severity(self) -> Severity:
        """How urgent it is."""
        return _RULES[self].severity

    @property
    def of_agent(self) -> str | None:
        """The state of its agent: ``down``; None where the rule is not about an agent."""
        return _RULES[self].of_agent


class _Rule(NamedTuple):
    severity: Severity
    of_agent: str | None = None


_RULES: Final = {
    AlertRule.AGENT_UNREACHABLE: _Rule(Severity.CRIT, of_agent="unreachable"),
    AlertRule.AGENT_DOWN: _Rule(Severity.CRIT, of_agent="down"),
    AlertRule.AGENT_QUARANTINED: _Rule(Severity.CRIT, of_agent="quarantined"),
    AlertRule.AGENT_DEGRADED: _Rule(Severity.WARN, of_agent="degraded"),
    AlertRule.AGENT_STARTING: _Rule(Severity.WARN, of_agent="starting"),
    AlertRule.AGENT_FAILING: _Rule(Severity.CRIT, of_agent="failing"),
    AlertRule.FAILOVER_BRAKED: _Rule(Severity.CRIT),
    AlertRule.POOL_EMPTY: _Rule(Severity.CRIT),
    AlertRule.ENGINE_HOLD: _Rule(Severity.CRIT),
    AlertRule.ENGINE_TROUBLE: _Rule(Severity.WARN),
    AlertRule.FLEET_FILE: _Rule(Severity.WARN),
    AlertRule.DEAD_LETTERS: _Rule(Severity.WARN),
    AlertRule.MODEL_OUTAGE: _Rule(Severity.WARN),
    AlertRule.NEEDS_OPERATOR: _Rule(Severity.CRIT),
    AlertRule.UNKNOWN_RUNS: _Rule(Severity.WARN),
    AlertRule.HELD: _Rule(Severity.WARN),
    AlertRule.RETRY_BUDGET: _Rule(Severity.WARN),
    AlertRule.LONG_WAIT: _Rule(Severity.WARN),
}


def rule_of_health(health: Health) -> AlertRule | None:
    """The rule for an agent of this health; None where there is none."""
    match health:
        case Health.UNREACHABLE:
            return AlertRule.AGENT_UNREACHABLE
        case Health.DOWN:
            return AlertRule.AGENT_DOWN
        case Health.QUARANTINED:
            return AlertRule.AGENT_QUARANTINED
        case Health.DEGRADED:
            return AlertRule.AGENT_DEGRADED
        case Health.STARTING:
            return AlertRule.AGENT_STARTING
        case Health.JOINING | Health.UP | Health.SUSPECT | Health.DRAINING | Health.RETIRED:
            return None
        case _:
            assert_never(health)


def alert_id(rule: AlertRule, subject: str) -> AlertId:
    """``agent-down:agent-14``: one open alert for each rule and subject."""
    return AlertId(f"{rule}:{subject}")


def rule_of(alert: AlertId) -> AlertRule | None:
    """The rule of an alert; None for one of another release, or of a recording that was tampered
    with."""
    try:
        return AlertRule(alert.partition(":")[0])
    except ValueError:
        return None


def severity_of(alert: AlertId) -> Severity:
    """The severity of an alert that this release raises. Raises AssertionError for another id."""
    rule = rule_of(alert)
    assert rule is not None, alert
    return rule.severity


def agent_of(alert: Alert) -> AgentName | None:
    """The agent that an alert is about; None where its rule is not about an agent, whatever the
    subject: an agent may be called ``queue``. For a rule of another release the subject may be an
    agent."""
    rule = rule_of(alert.id)
    return None if rule is not None and rule.of_agent is None else AgentName(alert.subject)
