"""What the alerts table says, without a screen."""

import msgspec

from fleet_tui.console.text.cells import Tone
from fleet_tui.console.text.glyphs import UNICODE
from fleet_tui.console.views.alerts import rows
from fleet_tui.core.alerting.model import Severity
from fleet_tui.feed.feed import View
from tests.support.fake_feed import FakeFeed
from tests.support.scene import NOW_MS


def view(**changes: object) -> View:
    feed = FakeFeed()
    feed.push(**changes)
    return feed.view()


def test_alerts_that_somebody_has_in_hand_stand_last() -> None:
    state = view().state
    crit = next(a for a in state.alerts.values() if a.severity is Severity.CRIT)
    assert rows.open_alerts(state)[0] is crit
    acked = msgspec.structs.replace(crit, acked_by="ops")
    after = msgspec.structs.replace(state, alerts={**state.alerts, crit.id: acked})
    assert rows.open_alerts(after)[-1] is acked
    cells = rows.alert_cells(acked, UNICODE, NOW_MS)
    assert cells["what"].text == "agent-14 down · ack ops"
    assert cells["severity"].tone is Tone.DIM
