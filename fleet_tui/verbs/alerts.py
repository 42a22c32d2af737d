"""Verbs for alerts."""

from fleet_tui.core.alerting.commands import Ack
from fleet_tui.core.ids import AlertId
from fleet_tui.verbs.chapters import Chapter
from fleet_tui.verbs.verb import Noun, Verb

ACK = Verb(
    name="ack",
    key="A",
    noun=Noun.ALERT,
    chapter=Chapter.AGENTS_AND_ALERTS,
    title="acknowledge the alert",
    summary="Acknowledge alerts; they stay open until their conditions clear.",
    help="Records that you are handling the alert. It stays open until its condition clears.",
    done="acknowledged",
    label="ack",
    footer=54,
    command=lambda names, said: Ack(alerts=tuple(map(AlertId, names))),
)

ALERT_WORDS = (ACK,)
