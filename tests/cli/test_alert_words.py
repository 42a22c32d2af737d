"""The alerts of ``fleet-tui status`` tell what was heard, so that nobody has to look it up."""

from pathlib import Path

import pytest

from fleet_tui.base.paths import fleet_dir
from fleet_tui.cli.main import run
from fleet_tui.core.alerting.events import AlertAcked, AlertRaised
from fleet_tui.core.alerting.model import Severity
from fleet_tui.core.ids import AlertId
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.journal.ledger.writer import JournalWriter
from tests.journal.stories import opening

NOW_MS = 1_795_000_000_000

pytestmark = pytest.mark.usefixtures("own_process")


async def test_an_alert_is_told_with_what_was_heard(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    writer = await JournalWriter.open(fleet_dir("demo"), lambda: NOW_MS, "v", 1)
    raised = AlertRaised(
        alert=AlertId("agent-unreachable:dora"),
        severity=Severity.CRIT,
        subject="dora",
        text="unreachable: secret-missing: needs an operator",
        detail=Untrusted("/etc/token on the host: missing\x1b[2J"),
    )
    await writer.append([*opening(), raised], NOW_MS)
    await writer.close("x")
    run(["status", "-f", "demo"])
    out = capsys.readouterr().out
    told = "unreachable: secret-missing: needs an operator: /etc/token on the host: missing␛[2J"
    assert told in out


async def test_alerts_stand_in_the_order_of_the_console_and_say_who_has_them_in_hand(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    writer = await JournalWriter.open(fleet_dir("demo"), lambda: NOW_MS, "v", 1)
    raised = [
        AlertRaised(alert=AlertId(each), severity=each, subject=f"a-{each}", text="so it is")
        for each in (Severity.INFO, Severity.CRIT, Severity.WARN)
    ]
    acked = AlertAcked(alert=AlertId("crit"), by="ann")
    await writer.append([*opening(), *raised, acked], NOW_MS)
    await writer.close("x")
    run(["status", "-f", "demo"])
    told = [line.split() for line in capsys.readouterr().out.splitlines() if "so it is" in line]
    assert [(line[0], line[-1]) for line in told] == [("warn", "-"), ("info", "-"), ("crit", "ann")]
