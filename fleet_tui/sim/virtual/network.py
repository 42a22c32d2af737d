"""The way from an engine to its hosts: connections that break, hang, lose and delay.

An engine has one connection per host, as the real pool has. A question on it is either answered
whole, or Unknown; what the host did meanwhile is another matter.
"""

import asyncio
import random
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, Protocol, TypeVar

import msgspec

from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.core.ids import HostName
from fleet_tui.core.tasks.evidence import Definite, LostReason, Unknown
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.sim.virtual.host import SimHost
from fleet_tui.sim.virtual.loop import NotVirtual, VirtualLoop
from fleet_tui.sim.virtual.question import verb_of
from fleet_tui.sim.virtual.scenario import Network
from fleet_tui.wire.shell import (
    DEFAULT_MAX_OUTPUT_BYTES,
    ByteSource,
    ChannelFailure,
    Completed,
    RunResult,
)
from fleet_tui.wire.ssh.failures import SshFailure
from fleet_tui.wire.ssh.pool import STILL_CONNECTING

CONNECT_TIMEOUT_S = 12.0
NO_SUCH_NAME_S = 0.02
KEEPALIVE_S = 15.0
"""How long a connection may be silent before it is taken for lost."""
LONG_POLLS = 4
APART_S = 1e-6
"""Between two things that arrive one after the other."""

T = TypeVar("T")

LOST = Unknown(LostReason.CONNECTION_LOST)


class Link(msgspec.Struct, kw_only=True):
    """The network between the engine's machine and one host."""

    requests: bool = True
    """Whether what is sent to the host arrives."""
    answers: bool = True
    whole_since_s: float = 0.0

    @property
    def whole(self) -> bool:
        """Whether both ways are open."""
        return self.requests and self.answers


class Channel(Protocol):
    """Something that was forwarded over a connection and ends with it."""

    def close(self) -> None:
        """It ends."""
        ...


class Sent(Protocol):
    """Told of every question in the moment in which its first byte leaves."""

    def __call__(self, epoch: int, host: HostName, stdin: bytes) -> None:
        """An engine of that epoch asks a host."""
        ...


class Internet:
    """All links, and the dice that decide what becomes of single questions."""

    def __init__(
        self,
        loop: VirtualLoop,
        rng: random.Random,
        hosts: dict[HostName, SimHost],
        chances: Network,
        sent: Sent,
    ) -> None:
        self.loop = loop
        self.hosts = hosts
        self.links = {name: Link() for name in hosts}
        self.chances = chances
        self.sent = sent
        self.rng = rng
        self.nameless: set[HostName] = set()
        """Hosts whose names nobody knows: never, or not yet."""
        self.first_looks: dict[HostName, tuple[int, bytes]] = {}
        """The newest engine that looked at a host, and its first look."""
        self._shells: list[SimShell] = []

    def note_look(self, epoch: int, host: HostName, stdin: bytes) -> None:
        """Remember it, if it is a first look: a copy of it may be long on its way."""
        known, _ = self.first_looks.get(host, (0, b""))
        if epoch > known and verb_of(stdin)[0] == "look":
            self.first_looks[host] = (epoch, stdin)

    def heal(self) -> None:
        """No more trouble from now on. What is late already still comes."""
        self.chances = Network()
        for name in self.links:
            self.set_link(name, requests=True, answers=True)

    def set_link(self, host: HostName, *, requests: bool, answers: bool) -> None:
        """Open or cut the two ways to a host."""
        link = self.links[host]
        if not link.whole and requests and answers:
            link.whole_since_s = self.loop.time()
        link.requests, link.answers = requests, answers

    def unsettle(self, host: HostName) -> None:
        """Something over there was in trouble until now."""
        self.links[host].whole_since_s = self.loop.time()

    def break_connections(self, host: HostName) -> None:
        """Both ends learn at once that their connection is gone."""
        shells = [s for s in self._shells if s.host.name == host]
        for shell in shells:
            shell.lose()

    def opened(self, shell: "SimShell") -> None:
        """Another connection exists."""
        self._shells = [s for s in self._shells if s.alive]
        self._shells.append(shell)


class SimPool:
    """What an engine has instead of :class:`fleet_tui.wire.ssh.pool.SshPool`."""

    def __init__(self, net: Internet, epoch: int) -> None:
        self._net = net
        self._epoch = epoch
        self._shells: dict[HostName, SimShell] = {}
        self._locks: dict[HostName, asyncio.Lock] = {}
        self._failures: dict[HostName, SshFailure] = {}
        """How the last try to connect ended, where it failed."""

    async def connect(self, host: HostName) -> "SimShell | SshFailure":
        """The host's connection, made if there is none."""
        shell = self._shells.get(host)
        if shell is not None and shell.alive:
            return shell
        async with self._locks.setdefault(host, asyncio.Lock()):
            shell = self._shells.get(host)
            if shell is not None and shell.alive:
                return shell
            found = await self._dial(host)
            if isinstance(found, SshFailure):
                self._failures[host] = found
            else:
                self._failures.pop(host, None)
            return found

    def why_not(self, host: HostName) -> SshFailure | None:
        """Why there is no connection at this moment; None when there is one."""
        shell = self._shells.get(host)
        if shell is not None and shell.alive:
            return None
        return self._failures.get(host, STILL_CONNECTING)

    def judge(self, host: HostName, *, works: bool) -> None:
        """Nothing here is read only when a connection begins."""

    async def _dial(self, host: HostName) -> "SimShell | SshFailure":
        net = self._net
        link, machine = net.links[host], net.hosts[host]
        if host in net.nameless:
            await asyncio.sleep(NO_SUCH_NAME_S)
            unknown = Untrusted("Name or service not known")
            return SshFailure(kind=FailureKind.SSH_UNREACHABLE, detail=unknown)
        if not link.whole:
            await asyncio.sleep(CONNECT_TIMEOUT_S)
            return SshFailure(kind=FailureKind.SSH_UNREACHABLE, detail=Untrusted("timed out"))
        await asyncio.sleep(net.rng.uniform(0.02, 0.2))
        if not machine.up:
            return SshFailure(kind=FailureKind.SSH_UNREACHABLE, detail=Untrusted("refused"))
        shell = self._shells[host] = SimShell(net, machine, self._epoch)
        net.opened(shell)
        return shell


class SimShell:
    """One connection. A :class:`fleet_tui.wire.shell.Shell`."""

    def __init__(self, net: Internet, host: SimHost, epoch: int) -> None:
        self.host = host
        self.alive = True
        self.long_polls = asyncio.Semaphore(LONG_POLLS)
        self.log_streams = asyncio.Semaphore(LONG_POLLS)
        self._net = net
        self._epoch = epoch
        self._boot = host.boot
        self.channels: dict[Channel, None] = {}
        """What was forwarded over it."""
        self._open: dict[asyncio.Future[Any], None] = {}
        """Questions without an answer, in the order in which they were asked."""

    def lose(self) -> None:
        """The connection is gone and this end knows."""
        self.alive = False
        waiting, self._open = self._open, {}
        for future in waiting:
            _settle(future, LOST)
        for channel in list(self.channels):
            channel.close()

    async def run(
        self,
        command: str,
        stdin: bytes = b"",
        *,
        timeout_ms: int,
        max_output_bytes: int = DEFAULT_MAX_OUTPUT_BYTES,
    ) -> RunResult:
        """Ask the host; its answer, or Unknown."""
        net = self._net
        if not self.alive:
            return ChannelFailure(kind=FailureKind.SSH_UNREACHABLE)
        net.sent(self._epoch, self.host.name, stdin)
        net.note_look(self._epoch, self.host.name, stdin)

        def question(respond: Callable[[Completed], None]) -> None:
            self.host.answer(stdin, lambda out: respond(Completed(exit_status=0, stdout=out)))

        def half() -> None:
            self.host.answer(stdin[: net.rng.randrange(len(stdin))], lambda _: None)

        return await self.ask(question, half, timeout_ms=timeout_ms)

    async def ask(
        self,
        question: Callable[[Callable[[T], None]], None],
        half: Callable[[], None] = lambda: None,
        *,
        timeout_ms: int,
    ) -> Definite[T] | Unknown:
        """Have something asked over there, and wait for the answer. ``half`` is what happens when
        the end of the question does not arrive."""
        answer: asyncio.Future[Definite[T] | Unknown] = self._net.loop.create_future()
        self._open[answer] = None

        def arrive(answered: bool) -> None:
            if answered:
                question(lambda found: self._return(answer, found))
            else:
                question(lambda _: None)

        self.transmit(arrive, half)
        try:
            async with asyncio.timeout(timeout_ms / 1_000):
                return await answer
        except TimeoutError:
            return Unknown(LostReason.TIMEOUT)
        finally:
            self._open.pop(answer, None)

    def stream(
        self, command: str, stdin: bytes
    ) -> AbstractAsyncContextManager[ByteSource | ChannelFailure]:
        """Agents here write no logs."""
        raise NotVirtual("the simulation has no logs to stream")

    def transmit_start(self, arrive: Callable[[bool], None]) -> None:
        """Send a gateway the start of a run."""
        net = self._net
        if net.chances.late_start and net.rng.random() < net.chances.late_start:
            net.loop.later(net.rng.uniform(0.1, 3.0), self.lose)
            self._arrive_late(arrive)
        else:
            self.transmit(arrive)

    def transmit(
        self, arrive: Callable[[bool], None], half: Callable[[], None] = lambda: None
    ) -> None:
        """Send something. ``arrive`` is told whether an answer can come back; ``half`` is called
        instead when its end gets lost."""
        net, link, chances = self._net, self._net.links[self.host.name], self._net.chances
        travel_s = net.rng.uniform(0.005, 0.08)
        if not link.requests or self._boot != self.host.boot:
            # Nobody is there any more; keepalive or a reset tells.
            gone_s = KEEPALIVE_S if not link.requests else 0.2
            net.loop.later(gone_s, self.lose)
            return
        dice = net.rng.random()
        for chance, becomes in (
            (chances.drop_request, self._vanish),
            (chances.drop_answer, partial(arrive, False)),
            (chances.late, partial(self._arrive_late, arrive)),
            (chances.cut, half),
            (chances.hang, _nothing),
        ):
            if dice < chance:
                net.loop.later(travel_s, becomes)
                if becomes is not _nothing:
                    net.loop.later(net.rng.uniform(0.1, 3.0), self.lose)
                return
            dice -= chance
        net.loop.later(travel_s, arrive, True)

    def give_back(self, deliver: Callable[[], None], *, after_s: float) -> float:
        """Something comes back over this connection, not before an instant; when it arrives."""
        net = self._net
        if not self.alive:
            return after_s
        if not net.links[self.host.name].answers:
            net.loop.later(KEEPALIVE_S, self.lose)
            return after_s
        now_s = net.loop.time()
        at_s = max(now_s + net.rng.uniform(0.005, 0.08), after_s + APART_S)
        net.loop.later(at_s - now_s, deliver)
        return at_s

    def _vanish(self) -> None:
        """Nothing arrives."""

    def _arrive_late(self, arrive: Callable[[bool], None]) -> None:
        """It sits in a buffer for so long that nobody waits any more."""
        delay_s = self._net.rng.uniform(5.0, 60.0)
        self._net.loop.later(delay_s, arrive, False)

    def _return(self, answer: "asyncio.Future[Definite[T] | Unknown]", found: T) -> None:
        """The answer travels back over the same connection."""
        if not self.alive:
            return
        result = Definite(found)
        if self._net.links[self.host.name].answers:
            self._net.loop.later(self._net.rng.uniform(0.005, 0.08), _settle, answer, result)
        else:
            self._net.loop.later(KEEPALIVE_S, self.lose)


def _nothing() -> None:
    """The host hangs."""


def _settle(future: "asyncio.Future[T]", result: T) -> None:
    if not future.done():
        future.set_result(result)
