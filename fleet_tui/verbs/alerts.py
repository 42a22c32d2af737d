"""What is done to alerts."""

from fleet_tui.core.alerting.commands import Ack
from fleet_tui.core.ids import AlertId
from fleet_tui.verbs.verb import Noun, Verb

ACK = Verb(
    name="ack",
    key="A",
    noun=Noun.ALERT,
    title="acknowledge the alert",
    summary="Acknowledge alerts: you have them in hand.",
    help="Says that you have it in hand. The condition stays open until it ends.",
    done="acknowledged",
    label="ack",
    footer=54,
    command=lambda names, said: Ack(alerts=tuple(map(AlertId, names))),
)

ALERT_VERBS = (ACK,)
