"""The loop: inputs in, one transaction, then effects.

Nothing leaves the machine before the event that decides it is committed. All decisions are made in
``core``; this module passes values between the inbox, the ledger and the effects.

An event that cannot be stored has no effect. While the system refuses to store anything (a full
disk, a foreign lock, no descriptors left) the loop keeps monitoring, refuses commands, and retries;
a bug triggered by one input loses that input and is recorded in the ledger.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, assert_never

from msgspec.structs import replace

from fleet_tui.base.errors import FleetError
from fleet_tui.core.agents.commands import ProbeNow
from fleet_tui.core.engine.commands import StopEngine
from fleet_tui.core.engine.decide import code_of_mode
from fleet_tui.core.engine.events import EngineModeChanged, EngineTroubled, EngineUnitFailed
from fleet_tui.core.ids import AgentName, Epoch
from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.decide import decide, public
from fleet_tui.core.ledger.decided import Decided, Decision
from fleet_tui.core.ledger.events import Event, Recorded
from fleet_tui.core.ledger.refusals import RefusalCode
from fleet_tui.core.ledger.replies import Accepted, Refused, Reply
from fleet_tui.core.ledger.state import FleetState
from fleet_tui.core.modes import TROUBLES, EngineMode, ModeNow, Trouble
from fleet_tui.core.plans import Impact
from fleet_tui.core.step import (
    AgentProbed,
    Asked,
    FleetChanged,
    FleetFileSeen,
    MachinesSeen,
    RunReported,
    Step,
    StepTime,
    Tick,
    Told,
    noted,
    noted_sign_of_life,
    remember,
    settled,
    step,
)
from fleet_tui.core.text.words import duration
from fleet_tui.engine.clock import Clock
from fleet_tui.engine.faults import MAX_FAULTS, Faults
from fleet_tui.engine.inbox import CommandAsked, Inbox, Input
from fleet_tui.engine.pacing import USUAL, Pacing
from fleet_tui.engine.supervisor import keep_going
from fleet_tui.engine.unstored import Unstored
from fleet_tui.journal.errors import JournalFull, JournalUnavailable

log = logging.getLogger(__name__)

PAUSE_MS = 2_000
"""After not running for this long, the loop does not hold missing answers against agents."""
SWEEP_SHARE = 0.05
"""The share of the loop's time for sweeps over all open tasks. With so many that one sweep takes
long, sweeps are less frequent."""
DISTRUST_ROUNDS = 2
"""Probe rounds after such a pause in which no agent is judged worse."""
MAX_TO_TELL = 100
"""Faults that wait for a commit; further ones are only in the engine's own log."""


OfEngine = StopEngine | ProbeNow
"""Commands that ask something of the engine itself, also while nothing can be stored. All others
ask for events, which are acted upon once they are committed."""


class Ledger(Protocol):
    """Where events are committed; the journal's writer is the real one."""

    @property
    def epoch(self) -> Epoch:
        """The epoch this writer owns."""
        ...

    async def append(self, events: Sequence[Event], at_ms: int) -> tuple[Recorded, ...]:
        """Commit durably, all or nothing, and return the positions.

        Raises JournalUnavailable when the system refuses: nothing was stored, and a later try may
        succeed. JournalFull is one of them: the event that records a full disk has space reserved.
        Raises another FleetError when the ledger is no longer usable: then nothing may be assumed
        to be stored.
        """
        ...


class Effects(Protocol):
    """The effects of committed events."""

    def follow(self, state: FleetState, recorded: Sequence[Recorded]) -> None:
        """Start, stop or nudge whatever the new state requires. Returns at once."""
        ...

    def probe_now(self, agents: Sequence[AgentName]) -> None:
        """Probe agents now."""
        ...


class Engine:
    """One fleet's loop. ``run`` returns when it was asked to stop."""

    def __init__(
        self,
        ledger: Ledger,
        state: FleetState,
        effects: Effects,
        clock: Clock,
        publish: Callable[[FleetState, Sequence[Recorded]], None],
        *,
        pacing: Pacing = USUAL,
    ) -> None:
        self.state = state
        self.inbox = Inbox()
        self.memory = remember(state)
        """Its memory outside the ledger."""
        self.stop_reason: str | None = None
        self.troubles: Mapping[Trouble, str] = {}
        """The resources that it lacks now, in words; set by the watchman."""
        self._ledger = ledger
        self._effects = effects
        self._clock = clock
        self._publish = publish
        self._pacing = pacing
        self._sweep_at_s = 0.0
        self._awake_ms = 0
        """When it last ran."""
        self._ended = False
        self._unstored: Unstored | None = None
        """While nothing can be stored."""
        self._store_again_ms = 0
        self._faults = Faults()
        self._to_tell: list[Event] = []
        """Events about faults, for the next commit."""

    @property
    def mode(self) -> ModeNow:
        """What the engine can do now, even if that cannot be recorded in the ledger."""
        return self.state.engine.mode if self._unstored is None else self._unstored.mode

    async def run(self) -> None:
        """Work until stopped. Raises what the ledger raises: without it the engine must not
        continue."""
        self._awake_ms = self._clock.now_ms()
        ticker = asyncio.create_task(
            keep_going("the clock", self._tick, self.unit_failed), name="ticker"
        )
        self._effects.follow(self.state, ())
        try:
            while self.stop_reason is None:
                await self._step_safely(await self.inbox.take())
        finally:
            ticker.cancel()
            self._ended = True
            self._refuse_rest()

    async def ask(self, by: str, command: Command, shown: Impact | None = None) -> Reply:
        """An operator's command; returns after its events are committed, or it was refused.
        ``shown`` is the impact that its author was shown: it does no more than that."""
        if self.stop_reason is not None:
            return _STOPPING
        if self._unstored is not None and not isinstance(command, OfEngine):
            return refused_by(self.mode)
        reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        await self.inbox.put(CommandAsked(by, public(command), reply, shown))
        if self._ended:  # while we waited for space in the inbox
            self._refuse_rest()
        return await reply

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(self._pacing.tick_ms / 1_000)
            self._notice_pause()
            await self.inbox.put(Tick())

    def _notice_pause(self) -> None:
        """After a pause, silence during the pause has no consequences. The clock includes the time
        in which the machine itself was suspended."""
        now_ms = self._clock.now_ms()
        gap_ms = now_ms - self._awake_ms
        self._awake_ms = now_ms
        if gap_ms <= PAUSE_MS + self._pacing.tick_ms:
            return
        slowest = max((a.probe.every_ms for a in self.state.fleet.agents.values()), default=5_000)
        self.memory = replace(
            self.memory,
            distrust_until_ms=now_ms + DISTRUST_ROUNDS * slowest,
            listens_since_ms=now_ms,
        )
        log.warning("the engine was paused for %d ms; misses do not count for a while", gap_ms)

    def unit_failed(self, unit: str, error: Exception) -> None:
        """A unit of the engine failed with a bug and is restarted; if that happens too often, no
        new work is started until an operator thaws the fleet."""
        now_ms = self._clock.now_ms()
        count = self._faults.met(unit, now_ms)
        log.error("%s failed, %d times within a minute", unit, count, exc_info=error)
        if count > MAX_FAULTS or len(self._to_tell) >= MAX_TO_TELL:
            return
        self._to_tell.append(EngineUnitFailed(unit=unit, error=type(error).__name__))
        mode = self.state.engine.mode.mode
        if count == MAX_FAULTS and mode is not EngineMode.FROZEN:
            why = f"{unit} failed {count} times within a minute"
            hold = EngineModeChanged(mode=EngineMode.FROZEN, was=mode, reason=why)
            self._to_tell.append(hold)

    async def _step_safely(self, items: Sequence[Input]) -> None:
        """A step; after a bug, when nothing was committed, its inputs are tried one by one, so that
        only the faulty one is lost. Raises what the ledger raises."""
        try:
            await self._step(items)
        except FleetError:
            raise
        except Exception as error:  # told below; nothing of it was committed or remembered
            if len(items) > 1:
                for item in items:
                    await self._step_safely([item])
                return
            self.unit_failed("the loop", error)
            for item in items:
                if isinstance(item, CommandAsked) and not item.reply.done():
                    item.reply.set_result(_BUG)

    async def _step(self, items: Sequence[Input]) -> None:
        if self._unstored is None:
            await self._take_in(items)
            return
        ticked = self._only_watch(items, self._unstored)
        if ticked and self._clock.now_ms() >= self._store_again_ms:
            self._store_again_ms = self._clock.now_ms() + self._pacing.store_again_ms
            kept = self._unstored.items()
            if await self._take_in([Tick()]):  # there is space
                await self._step_safely(kept)

    async def _take_in(self, items: Sequence[Input]) -> bool:
        """Decide, commit, act; False when the system refused and nothing was stored."""
        self._notice_pause()
        told = len(self._to_tell)
        taken = self._decide(items)
        asked = [item for item in items if isinstance(item, CommandAsked)]
        # A refusal may depend on other decisions of the step: no reply is sent before they are
        # stored.
        answers = list(zip((item.reply for item in asked), taken.replies, strict=True))
        for item, decision in zip(asked, taken.replies, strict=True):
            if isinstance(decision, Decided) and isinstance(item.command, OfEngine):
                self._act(item.by, item.command)
        try:
            recorded = await self._commit(taken)
        except JournalUnavailable as error:
            self.memory = taken.unstored(self.memory)
            await self._unavailable(items, error)
            return False
        except (FleetError, asyncio.CancelledError):
            for future, _ in answers:
                if not future.done():
                    future.set_result(_IN_DOUBT)
            raise
        self._unstored = None
        del self._to_tell[:told]
        self.memory = taken.memory
        for future, decision in answers:
            if not future.done():
                future.set_result(self._stored(decision))
        self._follow(recorded)
        return True

    def _stored(self, decision: Decision) -> Reply:
        """The reply once everything that was decided with it is stored."""
        if isinstance(decision, Refused):
            return decision
        return Accepted(
            seq=self.state.seq,
            task=decision.task,
            number=decision.number,
            duplicate=decision.duplicate,
            changed=decision.changed,
            undo=decision.undo,
        )

    def _follow(self, recorded: Sequence[Recorded]) -> None:
        """Carry out what was committed. A bug here does not affect the commit."""
        if not recorded:
            return
        try:
            self._effects.follow(self.state, recorded)
        except Exception as error:  # reported; the commit stands
            self.unit_failed("dispatch", error)
        try:
            self._publish(self.state, recorded)
        except Exception as error:  # reported; consoles read the ledger
            self.unit_failed("telling", error)

    def _decide(self, items: Sequence[Input]) -> Step:
        """The step for the inputs, preceded by the engine's own reports."""
        now_ms = self._clock.now_ms()
        own = Told((*self._to_tell, *self._stores_again()))
        began_s = asyncio.get_running_loop().time()
        moment = StepTime(now_ms, self._ledger.epoch, sweeps=began_s >= self._sweep_at_s)
        memory = replace(self.memory, troubles=self.troubles)
        taken = step(self.state, memory, [own, *map(_bare, items)], moment)
        if moment.sweeps and any(isinstance(item, Tick) for item in items):
            took_s = asyncio.get_running_loop().time() - began_s
            self._sweep_at_s = began_s + took_s / SWEEP_SHARE
        return taken

    # While nothing can be stored.

    def _stores_again(self) -> list[Event]:
        """The events for a ledger that can be written again. With the pending faults there is
        always at least one: only a write proves that it can be written. A hold stays a hold.
        """
        if self._unstored is None or any(isinstance(e, EngineModeChanged) for e in self._to_tell):
            return []
        was = self._unstored.mode
        if self.state.engine.mode.mode is EngineMode.FROZEN:
            return [EngineTroubled(trouble=was.trouble or Trouble.UNCLEAR)]
        if was.trouble is not None and TROUBLES[was.trouble].lacks_room:
            why = "the disk has room again"
        else:
            since_ms = max(self._clock.now_ms() - was.since_ms, 0)
            why = f"stores again, after {duration(since_ms)} of: {was.reason}"
        return [_change(EngineMode.READ_ONLY, EngineMode.NORMAL, why)]

    async def _unavailable(self, items: Sequence[Input], error: JournalUnavailable) -> None:
        """None of these inputs was stored: keep those that cannot be obtained again, refuse the
        rest, and record a full disk in the space reserved for that."""
        now_ms = self._clock.now_ms()
        first_time = self._unstored is None
        why = f"{error.message}; nothing can be stored"
        if self._unstored is None:
            mode = ModeNow(
                mode=EngineMode.READ_ONLY, reason=why, since_ms=now_ms, trouble=error.trouble
            )
            self._unstored = Unstored(mode)
            self._store_again_ms = now_ms + self._pacing.store_again_ms
            log.warning("engine mode %s: %s", mode.mode.label, why)
        elif self._unstored.mode.trouble is not error.trouble:  # one trouble became another
            self._unstored.mode = replace(self._unstored.mode, reason=why, trouble=error.trouble)
            first_time = True
        self._only_watch(items, self._unstored)
        is_full = isinstance(error, JournalFull)
        if first_time and is_full and self.state.engine.mode.mode is EngineMode.NORMAL:
            reason = self._unstored.mode.reason
            full = _change(EngineMode.NORMAL, EngineMode.READ_ONLY, reason)
            moment = StepTime(now_ms, self._ledger.epoch)
            taken = noted(self.state, self.memory, [full], moment)
            try:
                self._follow(await self._commit(taken))
            except JournalUnavailable:
                log.error("the disk is full, and not even that could be stored")
        if first_time:
            self._publish(self.state, ())

    def _only_watch(self, items: Sequence[Input], unstored: Unstored) -> bool:
        """Handle inputs that need no ledger; whether time passed."""
        ticked = False
        for item in items:
            match item:
                case AgentProbed(result=result):
                    if result.agent in self.state.fleet.agents:
                        probes = {**self.memory.probes, result.agent: result}
                        self.memory = replace(self.memory, probes=probes)
                case RunReported(run=run, report=report):
                    self.memory = noted_sign_of_life(self.memory, run, report, self._clock.now_ms())
                    unstored.keep(item)
                case FleetChanged() | FleetFileSeen():
                    unstored.keep(item)
                case MachinesSeen():
                    pass  # it is reported again while the ledger records something else
                case CommandAsked():
                    self._answer_unstored(item, unstored.mode)
                case Tick():
                    ticked = True
                case _:
                    assert_never(item)
        return ticked

    def _answer_unstored(self, asked: CommandAsked, mode: ModeNow) -> None:
        if asked.reply.done():
            return
        decision = decide(self.state, asked.by, asked.command, self._clock.now_ms())
        if isinstance(decision, Refused):
            asked.reply.set_result(decision)
        elif isinstance(asked.command, OfEngine):
            self._act(asked.by, asked.command)
            asked.reply.set_result(Accepted(seq=self.state.seq))
        else:
            asked.reply.set_result(refused_by(mode))

    async def _commit(self, taken: Step) -> tuple[Recorded, ...]:
        if not taken.events:
            return ()
        recorded = await asyncio.shield(self._ledger.append(taken.events, taken.state.at_ms))
        self.state = settled(self.state, taken, recorded)
        return recorded

    def _act(self, by: str, command: OfEngine) -> None:
        match command:
            case ProbeNow(agents=agents):
                self._effects.probe_now(agents)
            case StopEngine(reason=reason):
                self.stop_reason = reason or f"stopped by {by}"
            case _:
                assert_never(command)

    def _refuse_rest(self) -> None:
        """Refuse the remaining commands, so that none waits for ever for a loop that has ended."""
        self.stop_reason = self.stop_reason or "the engine failed"
        for item in self.inbox.take_rest():
            if isinstance(item, CommandAsked) and not item.reply.done():
                item.reply.set_result(_STOPPING)


def _bare(
    item: Input,
) -> Asked | AgentProbed | RunReported | FleetChanged | FleetFileSeen | MachinesSeen | Tick:
    """An input without its reply future."""
    if isinstance(item, CommandAsked):
        return Asked(item.by, item.command, item.shown)
    return item


_STOPPING = Refused(
    code=RefusalCode.STOPPING,
    text="The engine is stopping.",
    hint="Open the fleet again in a moment.",
)

_BUG = Refused(
    code=RefusalCode.BUG,
    text="A bug kept the engine from taking this; nothing was stored.",
    hint="Its log in the state directory shows more.",
)


def refused_by(mode: ModeNow) -> Refused:
    """The refusal of a command by an engine in such a mode."""
    return Refused(
        code=code_of_mode(mode.mode),
        text=f"Nothing was done, the engine is {mode.mode.label}: {mode.reason}.",
        hint=mode.way_out[:1].upper() + mode.way_out[1:] + ".",
    )


def _change(was: EngineMode, mode: EngineMode, reason: str) -> EngineModeChanged:
    return EngineModeChanged(mode=mode, was=was, reason=reason)


_IN_DOUBT = Refused(
    code=RefusalCode.IN_DOUBT,
    text="The engine failed while it stored this; it may or may not have been taken.",
    hint="Look at the fleet before you repeat it; a submit with the same key is safe to repeat.",
)
