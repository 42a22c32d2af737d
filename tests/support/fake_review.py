"""A recording in memory: the console tests' scene with a time line, and a shelf of sessions."""

from collections.abc import Sequence

from fleet_tui.base.errors import FleetError
from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.refusals import RefusalCode
from fleet_tui.core.ledger.replies import Refused, Reply
from fleet_tui.core.plans import Impact
from fleet_tui.feed.feed import Link, Mode, Session
from fleet_tui.feed.marks import Mark
from tests.support.fake_feed import FakeFeed
from tests.support.scene import NOW_MS

START_MS = NOW_MS - 34 * 60_000
STEP_MS = 1_000
"""How far one event is from the next."""

MARKS = ((NOW_MS - 1_000_000, Mark.ALERT), (NOW_MS - 600_000, Mark.HEALTH))
DEPTH = (0, 0, 0, 1, 3, 8, 20, 30, 40, 30, 10, 4, 2, 1, 0, 0, 0)


class FakeReview(FakeFeed):
    """A feed that can be moved through time. Nothing can be sent to it."""

    def __init__(self) -> None:
        super().__init__(mode=Mode.REVIEW, can_act=False)
        self.push(link=Link.NONE)
        self._playing = False
        self._speed = 1.0

    async def send(self, command: Command, shown: Impact | None = None) -> Reply:
        self.sent.append(command)
        return Refused(code=RefusalCode.REVIEW, text="this is a recording: nothing can be changed")

    @property
    def start_ms(self) -> int:
        return START_MS

    @property
    def end_ms(self) -> int:
        return NOW_MS

    @property
    def playing(self) -> bool:
        return self._playing

    @property
    def speed(self) -> float:
        return self._speed

    def play(self) -> None:
        self._playing = True

    def pause(self) -> None:
        self._playing = False

    def set_speed(self, speed: float) -> None:
        self._speed = speed

    async def seek(self, at_ms: int) -> None:
        self.push(now_ms=max(START_MS, min(NOW_MS, at_ms)))

    async def step(self, events: int) -> None:
        self._playing = False
        await self.seek(self.view().now_ms + events * STEP_MS)

    async def next_mark(self, backward: bool = False) -> bool:
        now_ms = self.view().now_ms
        ahead = sorted(
            at_ms for at_ms, _ in MARKS if (at_ms < now_ms if backward else at_ms > now_ms)
        )
        if not ahead:
            return False
        self._playing = False
        await self.seek(ahead[-1] if backward else ahead[0])
        return True

    def marks(self) -> Sequence[tuple[int, Mark]]:
        return MARKS

    def depth_curve(self, buckets: int) -> Sequence[int]:
        return [DEPTH[at * len(DEPTH) // buckets] for at in range(buckets)]


SESSIONS = (
    Session(
        name="today", path="/state/events-0003", started_at_ms=NOW_MS - 9_000_000,
        ended_at_ms=None, events=9_214, tasks=785,
    ),
    Session(
        name="outage of tuesday", path="/state/events-0002", started_at_ms=START_MS,
        ended_at_ms=NOW_MS, events=4_100, tasks=612,
    ),
)  # fmt: skip


class FakeSessions:
    """A :class:`~fleet_tui.console.shell.timeline.SessionSource`: two, the first is damaged."""

    def __init__(self) -> None:
        self.opened: list[FakeReview] = []

    async def sessions(self) -> Sequence[Session]:
        return SESSIONS

    async def open(self, session: Session) -> FakeReview:
        if session is SESSIONS[0]:
            raise FleetError("the hash chain is broken at event 12")
        review = FakeReview()
        self.opened.append(review)
        return review
