"""One shared SSH connection per host, opened on demand.

Strict host keys, no forwarding of agents or displays, bounded handshakes, jittered reconnects. A
host that does not answer does not delay the others: callers wait for their own host only, and a
stalled handshake soon stops counting against the limit.
"""

import asyncio
import random
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path

import asyncssh

from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.core.backoff import Backoff
from fleet_tui.core.fleet import HostSpec
from fleet_tui.core.ids import HostName
from fleet_tui.core.ssh.config import ConfigRefusal, Resolved
from fleet_tui.core.ssh.ways import MAX_JUMPS, Hop
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.wire.shell import ChannelFailure, Completed, RunResult
from fleet_tui.wire.ssh.admission import AGAIN_AFTER_S, SshAdmission
from fleet_tui.wire.ssh.advice import ADOPTED, auth_advice, called, host_key_advice
from fleet_tui.wire.ssh.connection import FileFailure, FileFault, SshConnection, TcpChannel
from fleet_tui.wire.ssh.failures import (
    LocalSetupError,
    SshFailure,
    connect_failure,
    cut_off,
    lost_failure,
    may_be_told,
    storable,
)
from fleet_tui.wire.ssh.hello import HelloListener, our_offers, why_not
from fleet_tui.wire.ssh.identities import Identities
from fleet_tui.wire.ssh.options import DEFAULT_CONNECT_TIMEOUT_MS, Route, SshFiles
from fleet_tui.wire.ssh.places import Places
from fleet_tui.wire.ssh.proxy_command import ProxyProcess, start_proxy
from fleet_tui.wire.ssh.resolver import SshResolver
from fleet_tui.wire.words import words_of

__all__ = [
    "STILL_CONNECTING",
    "ChannelFailure",
    "Completed",
    "FileFailure",
    "FileFault",
    "RunResult",
    "SshConnection",
    "SshFailure",
    "SshPool",
    "TcpChannel",
]

RECONNECT = Backoff(base_ms=500, cap_ms=30_000)
PERMANENT_RETRY_S = 60.0
"""Failures of keys and host keys are not retried sooner: servers lock out clients that do."""
RENEW_AFTER_S = 30.0
"""A connection over which nothing works is replaced after this long."""
STABLE_AFTER_S = 60.0
"""A connection that lasted this long clears the memory of failures."""
SLOT_HOLD_S = 1.0
"""A handshake counts against the overall limit for this long. One that takes longer is waiting for
its host and costs us nothing, so hosts that never answer cannot block the others."""

STILL_CONNECTING = SshFailure(
    kind=FailureKind.SSH_UNREACHABLE, detail=Untrusted("still connecting")
)


class _Host:
    """The pool's state of one host."""

    def __init__(self, spec: HostSpec) -> None:
        self.spec = spec
        self.connection: SshConnection | None = None
        self.connected_at_s: float | None = None
        """When it was last connected; None for never."""
        self.useful_at_s = 0.0
        """When a request over the connection last succeeded."""
        self.dialing: asyncio.Task[SshConnection | SshFailure] | None = None
        self.failure: SshFailure | None = None
        self.failures_in_row = 0
        self.next_try_s = 0.0
        self.resolved: Resolved | None = None
        """The ssh_config from which the route was made."""
        self.route: Route | None = None
        self.via: HostName | None = spec.jump
        """The jump host; may come from ssh_config once that is read."""
        self.ways = 0
        """The nesting depth of jumps in ssh_config on which it depends."""


class SshPool:
    """The connections of a fleet, one per host, shared by every agent on it."""

    def __init__(
        self,
        hosts: Mapping[HostName, HostSpec],
        *,
        rng: random.Random,
        clock: Callable[[], float],
        resolver: SshResolver | None = None,
        known_hosts: Path | None = None,
        handshakes: int = 8,
        on_lost: Callable[[HostName, SshFailure], None] | None = None,
        places: Places | None = None,
    ) -> None:
        """``clock`` is monotonic seconds (``time.monotonic``); ``on_lost`` is called for each loss.
        ``resolver`` reads ssh_config; pools that share one call ``ssh`` once. ``places`` bounds the
        connections of all pools that share it."""
        self._hosts = {name: _Host(spec) for name, spec in hosts.items()}
        self._rng = rng
        self._clock = clock
        self._resolver = resolver or SshResolver()
        self._files = SshFiles(known_hosts)
        self._reading_files = asyncio.Lock()
        self._slots = asyncio.Semaphore(handshakes)
        self._admissions: dict[tuple[str, int], SshAdmission] = {}
        self._on_lost = on_lost
        self._places = places or Places()
        self._proxies: set[asyncio.Task[None]] = set()
        self._closing: set[asyncio.Task[None]] = set()
        self._closed = False

    async def connect(self, host: HostName) -> SshConnection | SshFailure:
        """The host's open connection, made if needed; callers share one handshake.

        Between failed attempts the last failure is returned at once. Cancelling a caller does not
        affect the others.
        """
        state = self._hosts.get(host)
        if state is None or self._closed:
            reason = "the pool is closed" if self._closed else f"no host is named {host}"
            return SshFailure(kind=FailureKind.SSH_UNREACHABLE, detail=words_of(reason))
        if state.connection is not None and not state.connection.lost.is_set():
            return state.connection
        if state.dialing is None:
            if state.failure is not None and self._clock() < state.next_try_s:
                return state.failure
            if state.via is None and not self._places.take((self, host), self._clock):
                detail = words_of(self._places.words)
                state.failure = SshFailure(kind=FailureKind.NO_DESCRIPTORS, detail=detail)
                return state.failure
            state.dialing = asyncio.create_task(self._dial(host, state), name=f"ssh {host}")
        return await asyncio.shield(state.dialing)

    def why_not(self, host: HostName) -> SshFailure | None:
        """Why there is no connection to the host at this moment; None when there is one.

        During an attempt, the answer is how the previous one ended, so that the failure of a host
        is not forgotten at each retry.
        """
        state = self._hosts.get(host)
        if state is None or (state.connection is not None and not state.connection.lost.is_set()):
            return None
        return state.failure or STILL_CONNECTING

    def judge(self, host: HostName, *, works: bool) -> None:
        """Note whether the host runs what it is sent. sshd reads a user's shell, the options of
        keys and its own limits when a connection begins, so one over which nothing works is
        replaced."""
        state = self._hosts.get(host)
        if state is None or state.connection is None or state.connected_at_s is None:
            return
        connection, now_s = state.connection, self._clock()
        if works or connection.forwards:
            state.useful_at_s = now_s
        elif now_s - max(state.useful_at_s, state.connected_at_s) >= RENEW_AFTER_S:
            connection.given_up, state.connection = True, None
            self._places.lost((self, host), self._clock)
            closing = asyncio.create_task(connection.close(), name=f"ssh {host}: give up")
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    async def way_to(self, host: HostName) -> tuple[Route, SshConnection | None] | SshFailure:
        """The route to a host and the connection to go through, without connecting."""
        state = self._hosts.get(host)
        if state is None:
            detail = words_of(f"no host is named {host}")
            return SshFailure(kind=FailureKind.SSH_UNREACHABLE, detail=detail)
        try:
            route = await self._route(state)
        except LocalSetupError as error:
            return connect_failure(error, timeout_ms=DEFAULT_CONNECT_TIMEOUT_MS)
        jump = await self._jump(host, state, route)
        return jump if isinstance(jump, SshFailure) else (route, jump)

    async def close(self) -> None:
        """Close every connection and end every proxy program; connect() afterwards is a
        SSH_UNREACHABLE failure."""
        self._closed = True
        dialing = [state.dialing for state in self._hosts.values() if state.dialing is not None]
        for task in dialing:
            task.cancel()
        await asyncio.gather(*dialing, return_exceptions=True)
        # Hosts reached through others first: closing a jump host cuts off connections through it.
        living = [state.connection for state in self._hosts.values() if state.connection]
        await asyncio.gather(*(connection.close() for connection in living))
        await asyncio.gather(*self._proxies, *self._closing)
        for host in self._hosts:
            self._places.leave((self, host))

    async def _dial(self, host: HostName, state: _Host) -> SshConnection | SshFailure:
        """Make one attempt and remember its result."""
        try:
            result = await self._attempt(host, state)
        except asyncio.CancelledError:
            state.dialing = None
            self._places.leave((self, host))
            raise
        except Exception as error:  # every failure becomes a value here
            timeout_ms = DEFAULT_CONNECT_TIMEOUT_MS
            if state.route is not None:
                timeout_ms = state.route.connect_timeout_ms
            result = connect_failure(error, timeout_ms=timeout_ms)
        state.dialing = None
        now_s = self._clock()
        if isinstance(result, SshFailure):
            self._hold_off(state, now_s)
            if result.kind.is_permanent:
                state.next_try_s = now_s + PERMANENT_RETRY_S
            result = state.failure = storable(result)
            if state.connected_at_s is None:
                self._places.leave((self, host))
            else:
                self._places.lost((self, host), self._clock)
        else:
            state.connection = result
            self._places.connected((self, host))
            state.connected_at_s = now_s
            state.failure = None
        return result

    def _hold_off(self, state: _Host, now_s: float) -> None:
        """Full jitter: the next attempt is anywhere between now and a growing ceiling."""
        state.failures_in_row += 1
        wait_ms = RECONNECT.wait_ms(state.failures_in_row, self._rng.random())
        state.next_try_s = now_s + wait_ms / 1_000

    async def _attempt(self, host: HostName, state: _Host) -> SshConnection | SshFailure:
        route = await self._route(state)
        jump = await self._jump(host, state, route)
        if isinstance(jump, SshFailure):
            return jump
        admission = self._admissions.setdefault((route.key_alias, route.port), SshAdmission())
        tries = 0
        while True:
            tries += 1
            async with admission.entered():
                try:
                    return await self._in_a_slot(self._handshake(host, state, route, jump))
                except (asyncssh.Error, OSError) as error:
                    if not admission.was_crowded(tries, error):
                        raise
            await asyncio.sleep(AGAIN_AFTER_S)

    async def _in_a_slot(
        self, handshake: Coroutine[object, object, SshConnection | SshFailure]
    ) -> SshConnection | SshFailure:
        """Make a handshake, which counts against the overall limit for SLOT_HOLD_S."""
        try:
            await self._slots.acquire()
        except BaseException:  # the handshake is never begun
            handshake.close()
            raise
        release = asyncio.get_running_loop().call_later(SLOT_HOLD_S, self._slots.release)
        try:
            return await handshake
        finally:
            if not release.cancelled() and release.when() > asyncio.get_running_loop().time():
                release.cancel()
                self._slots.release()

    async def _handshake(
        self, host: HostName, state: _Host, route: Route, jump: SshConnection | None
    ) -> SshConnection | SshFailure:
        client = _Client(route.identities)
        proxy: ProxyProcess | None = None
        try:
            async with asyncio.timeout(route.connect_timeout_ms / 1000):
                if jump is None and route.proxy_command is not None:
                    proxy = await start_proxy(route.proxy_command)
                raw = await asyncssh.connect(
                    options=route.options,
                    config=None,
                    tunnel=jump.raw if jump is not None else None,
                    sock=proxy.socket if proxy is not None else None,
                    client_factory=lambda: client,
                    **route.arguments,
                )
        except BaseException as error:  # the proxy is ended, and may know why
            if proxy is not None:
                try:
                    ended = await proxy.failure() if cut_off(error) else None
                finally:
                    await proxy.end()
                if ended is not None:
                    return SshFailure(kind=FailureKind.SSH_UNREACHABLE, detail=ended)
            if (advice := host_key_advice(host, route, error)) is not None:
                return SshFailure(kind=FailureKind.SSH_HOST_KEY, detail=words_of(advice))
            if (advice := await auth_advice(route, error, client.banner)) is not None:
                return SshFailure(kind=FailureKind.SSH_AUTH, detail=words_of(advice))
            is_told = may_be_told(error)
            if is_told and (reason := why_not(client.heard, our_offers(route.options))):
                if reason.kind is FailureKind.SSH_UNREACHABLE:
                    # Callers that wait for a slot have to notice that the pool was closed.
                    raise asyncssh.ConnectionLost(reason.detail.raw) from error
                return reason
            raise
        finally:
            client.end()
        if proxy is not None:
            self._end_with(client.lost, proxy)
        connection = SshConnection(raw, client.lost)
        client.tell = lambda error: self._lost(host, state, connection, error)
        connection.make_snappy()
        return connection

    def _end_with(self, lost: asyncio.Event, proxy: ProxyProcess) -> None:
        """End a proxy program when its connection ends."""

        async def when_lost() -> None:
            await lost.wait()
            await proxy.end()

        task = asyncio.create_task(when_lost(), name="proxy command")
        self._proxies.add(task)
        task.add_done_callback(self._proxies.discard)

    async def _route(self, state: _Host) -> Route:
        """The route, made before every attempt, so that a corrected file takes effect without a
        restart; unchanged files are not read again. Raises LocalSetupError."""
        resolved = await self._resolver.resolve(state.spec)
        if isinstance(resolved, ConfigRefusal):
            passing, lasting = FailureKind.SSH_UNREACHABLE, FailureKind.SSH_PROTOCOL
            kind = passing if resolved.is_passing else lasting
            raise LocalSetupError(kind, f"ssh_config: {resolved}")
        if resolved != state.resolved:
            state.route = None
            if state.spec.jump is None:
                state.via = None
        async with self._reading_files:
            route = await asyncio.to_thread(self._files.route, state.spec, resolved, state.route)
        state.resolved, state.route = resolved, route
        return route

    async def _jump(
        self, host: HostName, state: _Host, route: Route
    ) -> SshConnection | SshFailure | None:
        """The connection to go through, from the fleet file or from ssh_config's ProxyJump."""
        if state.via is None and route.jump_chain:
            if state.ways >= MAX_JUMPS:
                said = f"its jump hosts are reached through more than {MAX_JUMPS} others"
                return SshFailure(kind=FailureKind.SSH_PROTOCOL, detail=words_of(said))
            state.via = self._adopt_chain(route.jump_chain, state.ways + 1)
            self._places.leave((self, host))  # it goes through another's connection
        via = state.via
        if via is None:
            return None
        if self._leads_back(host, via):
            detail = words_of(f"the jump hosts of {called(host)} lead back to themselves")
            return SshFailure(kind=FailureKind.SSH_PROTOCOL, detail=detail)
        found = await self.connect(via)
        if isinstance(found, SshFailure):
            detail = words_of(f"jump host {called(via)}: {found.kind.value}: {found.detail.raw}")
            return SshFailure(kind=FailureKind.SSH_UNREACHABLE, detail=detail)
        return found

    def _leads_back(self, host: HostName, via: HostName) -> bool:
        """Whether a host on the way to ``host`` would have to wait for itself."""
        seen, at = {host}, self._hosts.get(via)
        while at is not None:
            if at.spec.name in seen:
                return True
            seen.add(at.spec.name)
            at = self._hosts.get(at.via) if at.via is not None else None
        return False

    def _adopt_chain(self, chain: tuple[Hop, ...], ways: int) -> HostName:
        """Add each host of a ProxyJump to the pool; return the last. ssh_config may in turn define
        a jump for the first.

        asyncssh would open a separate connection to the bastion for each host behind it; one is
        enough.
        """
        before: HostName | None = None
        for hop in chain:
            name = HostName(f"{before or ''}{ADOPTED}{hop.text}")
            spec = HostSpec(
                name=name, address=hop.address, port=hop.port, user=hop.user, jump=before
            )
            if name not in self._hosts:
                self._hosts[name] = _Host(spec)
                self._hosts[name].ways = ways
            before = name
        assert before is not None
        return before

    def _lost(
        self, host: HostName, state: _Host, connection: SshConnection, error: Exception | None
    ) -> None:
        """Forget a dead connection; one that died young, or of a broken protocol, counts as a
        failed attempt."""
        if connection.given_up:
            return
        failure = storable(lost_failure(error))
        if state.connection is connection:
            state.connection = None
            self._places.lost((self, host), self._clock)
            now_s = self._clock()
            is_stable = now_s - (state.connected_at_s or 0.0) >= STABLE_AFTER_S
            if is_stable and failure.kind is FailureKind.SSH_UNREACHABLE:
                state.failures_in_row = 0
                state.failure = None
            else:
                self._hold_off(state, now_s)
                state.failure = failure
        if self._on_lost is not None and not self._closed:
            self._on_lost(host, failure)


class _Client(HelloListener):
    """Receives the one explicit notice of a lost connection; adds what asyncssh leaves out."""

    def __init__(self, identities: Identities) -> None:
        super().__init__()
        self.lost = asyncio.Event()
        self.tell: Callable[[Exception | None], None] | None = None
        self._identities: Identities | None = identities
        self._agent: asyncssh.SSHAgentClient | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()
        if self.tell is not None:
            self.tell(exc)

    async def public_key_auth_requested(self) -> list[asyncssh.SSHKeyPair] | None:
        """Called once every key was refused: certificates from files for keys of the agent."""
        ours, self._identities = self._identities, None
        if ours is None or ours.agent is None or not (certificates := ours.for_agent()):
            return None
        pairs: list[asyncssh.SSHKeyPair] = []
        try:
            self._agent = await asyncssh.connect_agent(ours.agent)
            for certificate in certificates:
                for pair in await self._agent.get_keys([certificate.key.public_data]):
                    pair.set_certificate(certificate)
                    pairs.append(pair)
        except (OSError, ValueError):
            return None  # no agent after all: the host's refusal shows it
        return pairs

    def end(self) -> None:
        """The handshake is over: release the agent."""
        self.stop_listening()
        if self._agent is not None:
            self._agent.close()
