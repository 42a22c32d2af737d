"""The closed list of alert rules, and the alert ids made from them."""

from enum import StrEnum
from typing import assert_never

from fleet_tui.core.agents.model import Health
from fleet_tui.core.alerting.model import Alert
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
    def of_agent(self) -> str | None:
        """The state of its agent: ``down``; None where the rule is not about an agent."""
        match self:
            case AlertRule.AGENT_UNREACHABLE:
                return "unreachable"
            case AlertRule.AGENT_DOWN:
                return "down"
            case AlertRule.AGENT_QUARANTINED:
                return "quarantined"
            case AlertRule.AGENT_DEGRADED:
                return "degraded"
            case AlertRule.AGENT_STARTING:
                return "starting"
            case AlertRule.AGENT_FAILING:
                return "failing"
            case (
                AlertRule.FAILOVER_BRAKED
                | AlertRule.POOL_EMPTY
                | AlertRule.ENGINE_HOLD
                | AlertRule.ENGINE_TROUBLE
                | AlertRule.FLEET_FILE
                | AlertRule.DEAD_LETTERS
                | AlertRule.MODEL_OUTAGE
                | AlertRule.NEEDS_OPERATOR
                | AlertRule.UNKNOWN_RUNS
                | AlertRule.HELD
                | AlertRule.RETRY_BUDGET
                | AlertRule.LONG_WAIT
            ):
                return None
            case _:
                assert_never(self)


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


def agent_of(alert: Alert) -> AgentName | None:
    """The agent that an alert is about; None where its rule is not about an agent, whatever the
    subject: an agent may be called ``queue``. For a rule of another release the subject may be an
    agent."""
    rule = rule_of(alert.id)
    return None if rule is not None and rule.of_agent is None else AgentName(alert.subject)
