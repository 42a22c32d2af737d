"""Probes each agent at its own interval, and reads its log.

Each agent has its own task, so that one that hangs delays no other. Steps are jittered: agents that
joined together drift apart instead of always being probed at once.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from fleet_tui.base.errors import FleetError
from fleet_tui.core.agents.vitals import FailureKind, ProbeFailure, ProbeResult
from fleet_tui.core.fleet import ProbeSpec
from fleet_tui.core.ids import AgentName, RunId
from fleet_tui.core.logs import LogGap, LogLine
from fleet_tui.engine.cancelling import was_cancelled
from fleet_tui.engine.clock import Clock
from fleet_tui.engine.pacing import Pacing
from fleet_tui.wire.port import AgentPort
from fleet_tui.wire.words import words_of

log = logging.getLogger(__name__)

JITTER = 0.2
"""A step is between 80 % and 120 % of the agent's interval."""

GRACE_MS = 20_000
"""Ports enforce their own deadlines, slow refusals included; this is for one that does not."""

CLOSE_DEADLINE_S = 10.0
COLLECT_DEADLINE_S = 120.0
MAX_COLLECTED = 200
"""Runs that a host is told to delete at a time."""
MAX_KEPT = 100_000
"""At most this many runs are listed in one round."""

OnProbe = Callable[[ProbeResult], Awaitable[None]]
OnLogLines = Callable[[Sequence[LogLine | LogGap]], None]
Leftover = Callable[[AgentName], Sequence[RunId]]
"""Runs of an agent that its host may delete, and has not confirmed as deleted."""
OnKept = Callable[[AgentName, Sequence[RunId]], Awaitable[None]]
"""Called with the runs that an agent's host still holds, from any ledger."""
OnCollected = Callable[[RunId], None]


class Watcher:
    """The probes and log lines of one agent."""

    def __init__(
        self,
        agent: AgentName,
        probe: ProbeSpec,
        port: AgentPort,
        *,
        pacing: Pacing,
        clock: Clock,
        rng: random.Random,
        on_probe: OnProbe,
        on_log_lines: OnLogLines,
        leftover: Leftover,
        on_kept: OnKept,
        on_collected: OnCollected,
    ) -> None:
        self.agent = agent
        self.port = port
        self._probe = probe
        self._pacing = pacing
        self._clock = clock
        self._rng = rng
        self._on_probe = on_probe
        self._on_log_lines = on_log_lines
        self._leftover = leftover
        self._on_kept = on_kept
        self._on_collected = on_collected
        self._asked: dict[RunId, int] = {}
        """How often the host was told to delete each run. Runs that it keeps must not hold up
        others."""
        self._now = asyncio.Event()
        self._tasks = [
            asyncio.create_task(self._probe_for_ever(), name=f"probe {agent}"),
            asyncio.create_task(self._hear_of_losses(), name=f"losses {agent}"),
            asyncio.create_task(self._read_for_ever(), name=f"read {agent}"),
            asyncio.create_task(self._collect_for_ever(), name=f"collect {agent}"),
        ]

    def probe_now(self) -> None:
        """Probe now instead of at the next step."""
        self._now.set()

    def stop(self) -> None:
        """Stop probing; :meth:`close` still has to be awaited."""
        for task in self._tasks:
            task.cancel()

    async def close(self) -> None:
        """Stop probing and close the connection to the agent, within CLOSE_DEADLINE_S."""
        self.stop()
        try:
            async with asyncio.timeout(CLOSE_DEADLINE_S):
                await asyncio.gather(*self._tasks, return_exceptions=True)
                await self.port.close()
        except TimeoutError:
            log.warning("%s could not be let go of in time", self.agent)
        except Exception:  # a bug in a port must not keep the others from being closed
            log.exception("letting go of %s failed", self.agent)

    async def _probe_for_ever(self) -> None:
        await asyncio.sleep(0.2 * self._rng.random())
        while True:
            await self._on_probe(await self._probe_once())
            wait_s = self._probe.every_ms / 1_000 * (1 + JITTER * (2 * self._rng.random() - 1))
            self._now.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._now.wait()

    async def _hear_of_losses(self) -> None:
        """A lost connection counts as a failed probe at once, and triggers another probe."""
        while True:
            try:
                await self._on_probe(await self.port.lost())
            except asyncio.CancelledError:
                if was_cancelled():
                    raise
            except Exception:  # a bug in a port must not end this
                log.exception("waiting for a loss of %s failed", self.agent)
            self.probe_now()
            await asyncio.sleep(self._pacing.loss_pause_s)

    async def _probe_once(self) -> ProbeResult:
        try:
            async with asyncio.timeout((self._probe.timeout_ms + GRACE_MS) / 1_000):
                return await self.port.probe()
        except TimeoutError:
            return self._failed(FailureKind.TIMEOUT, "the probe did not end")
        except asyncio.CancelledError:
            if was_cancelled():
                raise
            return self._failed(FailureKind.INTERNAL, "the probe was broken off")
        except Exception as error:  # a bug in a port must not stop the probing
            log.exception("probing %s failed", self.agent)
            return self._failed(FailureKind.INTERNAL, f"{type(error).__name__}: {error}")

    def _failed(self, kind: FailureKind, detail: str) -> ProbeFailure:
        return ProbeFailure(
            agent=self.agent,
            observed_at_ms=self._clock.now_ms(),
            kind=kind,
            detail=words_of(detail),
        )

    async def _collect_for_ever(self) -> None:
        """Keep the agent's host from filling up with the files of old runs."""
        now_s = asyncio.get_running_loop().time
        ask_at_s = now_s()
        goes_on = False
        while True:
            round_s = self._pacing.collect_every_s * (1 + JITTER * self._rng.random())
            await asyncio.sleep(self._pacing.collect_again_s if goes_on else round_s)
            if now_s() >= ask_at_s and await self._ask_what_is_kept():
                ask_at_s = now_s() + self._pacing.kept_every_s
            goes_on = await self._collect()

    async def _ask_what_is_kept(self) -> bool:
        """Ask part by part; whether the list was complete. If not, it is requested again next
        time."""
        skip = 0
        try:
            while skip < MAX_KEPT:
                async with asyncio.timeout(COLLECT_DEADLINE_S):
                    part = await self.port.kept(skip)
                if part is None:
                    return False
                await self._on_kept(self.agent, part.runs)
                if part.following is None:
                    return True
                skip = part.following
                await asyncio.sleep(self._pacing.collect_again_s)
        except TimeoutError:
            return False
        except FleetError as error:
            log.warning("what %s holds of runs is looked at later: %s", self.agent, error)
            return False
        except Exception:  # a bug in a port must not end the collecting
            log.exception("asking %s what it holds of runs failed", self.agent)
            return False
        return True

    async def _collect(self) -> bool:
        """One batch; whether another one may do more now."""
        left = self._leftover(self.agent)
        wanted = sorted(left, key=lambda run: self._asked.get(run, 0))[:MAX_COLLECTED]
        if not wanted:
            return False
        now = set(wanted)
        self._asked = {run: self._asked.get(run, 0) + (run in now) for run in left}
        try:
            async with asyncio.timeout(COLLECT_DEADLINE_S):
                gone = now.intersection(await self.port.collect(wanted))
        except TimeoutError:
            return False
        except Exception:  # a bug in a port must not end the collecting
            log.exception("collecting runs of %s failed", self.agent)
            return False
        for run in gone:
            self._on_collected(run)
        return 0 < len(gone) < len(left)

    async def _read_for_ever(self) -> None:
        while True:
            try:
                async for line in self.port.tail():
                    self._on_log_lines((line,))
                return
            except asyncio.CancelledError:
                if was_cancelled():
                    raise
                await asyncio.sleep(self._pacing.tail_again_s)
            except Exception:  # a bug in a port must not silence an agent for ever
                log.exception("reading the log of %s failed", self.agent)
                await asyncio.sleep(self._pacing.tail_again_s)
