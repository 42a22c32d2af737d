"""A whole fleet on this machine's loopback: one real SSH server, simulated gateways behind it.

Everything the engine does to reach agents is real (SSH, forwarded channels, HTTP, WebSocket, the
run wrapper); only what answers is simulated. Every host of the fleet is a user name of the one SSH
server, with a throw-away key. Nothing listens outside loopback and nothing is run but the constant
wrapper of :mod:`fleet_tui.wire.programs.wrapper` with the sandbox's own stand-in programs.
"""

import asyncio
import contextlib
import hashlib
import os
import random
import secrets
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self, assert_never

import asyncssh
import msgspec
import psutil

from fleet_tui.base import children
from fleet_tui.core.fleet import (
    AgentSpec,
    CommandAgent,
    FleetSpec,
    HostSpec,
    LocalAgent,
    OpenClawAgent,
    ProbeSpec,
)
from fleet_tui.core.ids import AgentName, HostName, Region
from fleet_tui.sim.demo.behaviour import planner, profile_of
from fleet_tui.sim.demo.worker import Settings
from fleet_tui.sim.demo.world import Host, Pace
from fleet_tui.sim.gateway.gateway import Gateway
from fleet_tui.sim.gateway.process import GatewaySpec
from fleet_tui.wire.programs.wrapper import BOOTSTRAP, COMMAND, SCRIPT

FIRST_PORT = 18_789
LOOPBACK = "127.0.0.1"
LOCAL_NAMES = frozenset({LOOPBACK, "localhost", "::1"})
COMMAND_REFUSED = 126
CHUNK_BYTES = 65_536
WRAPPER_TIMEOUT_S = 120
"""No question to the wrapper takes longer."""


def wall_clock_ms() -> int:
    """Now, in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class SandboxError(Exception):
    """Something was asked of the sandbox that it does not have."""


class Sandbox:
    """The simulated fleet. Use it as an async context manager, or ``start`` and ``close`` it.

    ``rewrite`` gives the fleet as the engine must see it. The fault controls take the names of the
    original fleet and do nothing where the fault is already there. They raise SandboxError for what
    the fleet does not have.
    """

    def __init__(
        self,
        fleet: FleetSpec,
        *,
        seed: int = 1,
        speed: float = 1.0,
        clock: Callable[[], int] = wall_clock_ms,
        directory: Path | None = None,
    ) -> None:
        """``directory`` is a private place for keys and runs, made and removed if not given."""
        self.fleet = fleet
        self.seed = seed
        self.pace = Pace(clock, speed)
        self.port = 0
        """Of the SSH server, once it is started."""
        self._given_directory = directory
        self._directory: Path | None = None
        self._server: asyncssh.SSHAcceptor | None = None
        self._user_key = asyncssh.generate_private_key("ssh-ed25519")
        self._tokens = {name: secrets.token_hex(16) for name in fleet.agents}
        self._connections: dict[HostName, set[asyncssh.SSHServerConnection]] = {
            name: set() for name in fleet.hosts
        }
        self._lost: set[HostName] = set()
        self._machines = {name: Host(name, seed) for name in fleet.hosts}
        self._gateways: dict[AgentName, Gateway] = {}
        self._ports = _ports_apart(fleet)
        self._wrappers: set[asyncio.subprocess.Process] = set()

    async def start(self) -> None:
        """Start the SSH server and every gateway; all are ready when this returns."""
        if self._given_directory is None:
            self._directory = Path(tempfile.mkdtemp(prefix="fleet-tui-sandbox-"))
        else:
            self._directory = self._given_directory
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._gateways = {
            name: self._gateway(name, agent.kind, agent.host)
            for name, agent in self.fleet.agents.items()
            if isinstance(agent.kind, OpenClawAgent) and agent.host is not None
        }
        host_key = asyncssh.generate_private_key("ssh-ed25519")
        self._server = await asyncssh.listen(
            LOOPBACK,
            0,
            server_factory=lambda: _SshServer(self),
            server_host_keys=[host_key],
            process_factory=self._execute,
            encoding=None,
            allow_scp=False,
            agent_forwarding=False,
            x11_forwarding=False,
        )
        self.port = self._server.get_port()
        public = host_key.export_public_key().decode().strip()
        self._write("known_hosts", f"[{LOOPBACK}]:{self.port} {public}\n".encode())
        self._write("id_ed25519", self._user_key.export_private_key())
        for name in self.fleet.agents:
            self._write(f"tokens/{name}", self._tokens[name].encode() + b"\n")
            self._write_stand_in(name)
        for gateway in self._gateways.values():
            gateway.start(boot_s=0)

    async def close(self) -> None:
        """End the server, the gateways, and every program that was started here."""
        if self._server is not None:
            self._server.close()
            for connections in self._connections.values():
                for connection in list(connections):
                    connection.abort()
            await self._server.wait_closed()
            self._server = None
        for gateway in self._gateways.values():
            await gateway.close()
        for wrapper in list(self._wrappers):
            with contextlib.suppress(ProcessLookupError):
                wrapper.kill()
            await wrapper.wait()
        if self._directory is not None:
            for pid in self._run_pids():
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(pid, 9)
            if self._given_directory is None:
                shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    # What the engine sees

    @property
    def directory(self) -> Path:
        """Where keys, tokens and runs are. Raises SandboxError before the start."""
        if self._directory is None:
            raise SandboxError("the sandbox is not started")
        return self._directory

    def rewrite(self, fleet: FleetSpec, *, probe: ProbeSpec | None = None) -> FleetSpec:
        """``fleet`` with every host here, and tokens and programs of the sandbox.

        Tokens become ``secret:file:`` references to files of the private directory; programs of
        command and local agents become stand-ins. ``probe`` is for a scenario that should not wait
        for the declared probes. Gateways get ports apart, for all hosts have one address here and
        a machine has a port once. Everything else stays as declared.
        """
        hosts = {name: self._rewrite_host(host) for name, host in fleet.hosts.items()}
        agents = {name: self._rewrite_agent(agent) for name, agent in fleet.agents.items()}
        if probe is not None:
            agents = {
                name: msgspec.structs.replace(agent, probe=probe) for name, agent in agents.items()
            }
        return msgspec.structs.replace(fleet, hosts=hosts, agents=agents)

    def _rewrite_host(self, host: HostSpec) -> HostSpec:
        return HostSpec(
            name=host.name,
            address=LOOPBACK,
            port=self.port,
            user=host.name,
            identity=str(self.directory / "id_ed25519"),
            known_hosts=str(self.directory / "known_hosts"),
            use_ssh_config=False,
            connect_timeout_ms=host.connect_timeout_ms,
        )

    def _rewrite_agent(self, agent: AgentSpec) -> AgentSpec:
        kind = agent.kind
        match kind:
            case OpenClawAgent():
                token = f"secret:file:{self.directory / 'tokens' / agent.name}"
                here: OpenClawAgent | CommandAgent | LocalAgent = msgspec.structs.replace(
                    kind, port=self._port(agent), token=token, log_file=None
                )
            case CommandAgent() | LocalAgent():
                home = self._home(agent.name)
                here = msgspec.structs.replace(
                    kind,
                    command=(str(home / "work"),),
                    run_dir=str(home / "runs"),
                    log_file=str(home / "agent.log"),
                )
            case _:
                assert_never(kind)
        return msgspec.structs.replace(agent, kind=here)

    # Faults

    def gateway(self, agent: AgentName) -> Gateway:
        """The gateway of an agent. Raises SandboxError for one without."""
        try:
            return self._gateways[agent]
        except KeyError:
            raise SandboxError(f"{agent} is no OpenClaw agent of this fleet") from None

    def kill(self, agent: AgentName) -> None:
        """The agent's process dies; its host lives."""
        if agent in self._gateways:
            self._gateways[agent].kill()
            return
        home = self._home(agent)
        for pid in self._run_pids(agent):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, 9)
        (home / "work").unlink(missing_ok=True)

    def restart(self, agent: AgentName, *, boot_s: float | None = None) -> None:
        """The agent's process is started (again); ready after ``boot_s`` simulated seconds."""
        if agent in self._gateways:
            self._gateways[agent].restart(boot_s=boot_s)
        else:
            self._write_stand_in(agent)

    def pause(self, agent: AgentName) -> None:
        """The agent's process stops like SIGSTOP: connections open, nothing answers."""
        self.gateway(agent).pause()

    def resume(self, agent: AgentName) -> None:
        """Resume a paused process."""
        self.gateway(agent).resume()

    def slow(self, agent: AgentName, factor: float) -> None:
        """Everything the agent does takes ``factor`` times as long from now on; 1 is normal."""
        self.gateway(agent).slowness = factor

    def drop_host(self, host: HostName) -> None:
        """Cut every SSH connection of a host, once."""
        if host not in self._connections:
            raise SandboxError(f"{host} is no host of this fleet")
        for connection in list(self._connections[host]):
            connection.abort()

    def lose_host(self, host: HostName) -> None:
        """Make a host unreachable; its runs continue."""
        self.drop_host(host)
        self._lost.add(host)

    def return_host(self, host: HostName) -> None:
        """Make a lost host reachable again."""
        self._lost.discard(host)

    def hosts_of(self, region: Region) -> list[HostName]:
        """Hosts with agents in that region, in the fleet's order."""
        found = {
            agent.host
            for agent in self.fleet.agents.values()
            if agent.region == region and agent.host is not None
        }
        return [host for host in self.fleet.hosts if host in found]

    # What the SSH server asks

    def admits(self, user: str, key: asyncssh.SSHKey) -> bool:
        """Whether this key may log in to the host of that name."""
        mine = self._user_key.public_data
        return HostName(user) in self._connections and key.public_data == mine

    def is_lost(self, user: str) -> bool:
        """Whether the host of that name is unreachable now."""
        return HostName(user) in self._lost

    def connected(self, user: str, connection: asyncssh.SSHServerConnection) -> None:
        """A host was logged in to."""
        self._connections[HostName(user)].add(connection)

    def disconnected(self, user: str, connection: asyncssh.SSHServerConnection) -> None:
        """A connection has ended."""
        self._connections.get(HostName(user), set()).discard(connection)

    def gateway_at(self, user: str, port: int) -> Gateway | None:
        """The gateway that listens on a port of a host now."""
        for name, gateway in self._gateways.items():
            if self.fleet.agents[name].host == user and gateway.spec.port == port:
                return gateway if gateway.is_listening else None
        return None

    async def _execute(self, process: "asyncssh.SSHServerProcess[bytes]") -> None:
        """Answer an exec request: the constant wrapper, or the start of a stopped gateway."""
        user = str(process.get_extra_info("username"))
        command = process.command or ""
        for name, gateway in self._gateways.items():
            agent = self.fleet.agents[name]
            starts = isinstance(agent.kind, OpenClawAgent) and agent.kind.start_command
            if agent.host == user and starts and command == starts:
                gateway.start()
                return process.exit(0)
        if command == COMMAND:
            try:
                async with asyncio.timeout(WRAPPER_TIMEOUT_S):
                    sent = await process.stdin.readexactly(len(SCRIPT))
                    if sent == SCRIPT:
                        return process.exit(await self._wrap(process, user))
            except (TimeoutError, asyncio.IncompleteReadError, OSError):
                return process.exit(COMMAND_REFUSED)
        process.stderr.write(b"this sandbox runs nothing but the run wrapper\n")
        process.exit(COMMAND_REFUSED)

    async def _wrap(self, process: "asyncssh.SSHServerProcess[bytes]", user: str) -> int:
        home = self.directory / "hosts" / user
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        wrapper = await asyncio.create_subprocess_exec(
            "sh",
            "-c",
            BOOTSTRAP,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=home,
            env=children.environment(
                {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(home)}, of={}
            ),
        )
        assert wrapper.stdin is not None
        assert wrapper.stdout is not None
        assert wrapper.stderr is not None
        self._wrappers.add(wrapper)
        try:
            wrapper.stdin.write(SCRIPT)
            feeding = asyncio.get_running_loop().create_task(_feed(process, wrapper.stdin))
            try:
                await asyncio.gather(
                    _copy(wrapper.stdout, process.stdout), _copy(wrapper.stderr, process.stderr)
                )
                return await wrapper.wait()
            finally:
                feeding.cancel()
        finally:
            if wrapper.returncode is None:
                wrapper.kill()
                await wrapper.wait()
            self._wrappers.discard(wrapper)

    # The private directory

    def _gateway(self, name: AgentName, kind: OpenClawAgent, host: HostName) -> Gateway:
        agent = self.fleet.agents[name]
        profile = profile_of(agent, self.seed)
        spec = GatewaySpec(
            name=name,
            port=self._port(agent),
            token=self._tokens[name],
            model=profile.model,
            agent_id=kind.agent_id,
            max_concurrent=max(agent.slots, 1),
        )
        digest = hashlib.sha256(f"{self.seed}/gateway/{name}".encode()).digest()
        return Gateway(
            spec,
            host=self._machines[host],
            pace=self.pace,
            rng=random.Random(int.from_bytes(digest[:8])),  # noqa: S311 - a simulation
            plan=planner(profile, self.seed),
        )

    def _port(self, agent: AgentSpec) -> int:
        assert isinstance(agent.kind, OpenClawAgent), agent
        return self._ports[agent.host, agent.kind.port]

    def _home(self, agent: AgentName) -> Path:
        return self.directory / "agents" / agent

    def _write(self, name: str, content: bytes) -> Path:
        path = self.directory / name
        for parent in reversed(path.relative_to(self.directory).parents):
            (self.directory / parent).mkdir(mode=0o700, exist_ok=True)
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        return path

    def _write_stand_in(self, name: AgentName) -> None:
        """The program that works for a command or local agent."""
        agent = self.fleet.agents[name]
        if isinstance(agent.kind, OpenClawAgent):
            return
        home = self._home(name)
        log_file = self._write(f"agents/{name}/agent.log", b"")
        (home / "runs").mkdir(mode=0o700, exist_ok=True)
        settings = Settings(
            profile=profile_of(agent, self.seed),
            seed=self.seed,
            speed=self.pace.speed,
            log_file=str(log_file),
        )
        told = self._write(f"agents/{name}/settings.json", msgspec.json.encode(settings))
        package = Path(__file__).resolve().parents[3]
        words = shlex.join([sys.executable, "-m", "fleet_tui.sim.demo.worker", str(told)])
        script = f"#!/bin/sh\nPYTHONPATH={shlex.quote(str(package))} exec {words}\n"
        self._write(f"agents/{name}/work", script.encode()).chmod(0o700)

    def _run_pids(self, agent: AgentName | None = None) -> Iterator[int]:
        """Leaders of the runs at work in the private directory, which the wrapper noted there."""
        pattern = f"agents/{agent or '*'}/runs/*/owner"
        for owner in self.directory.glob(pattern):
            word, pid, *_ = (*owner.read_text().split(), "", "")
            if word != "run" or not pid.isdecimal() or (owner.parent / "rc").exists():
                continue
            with contextlib.suppress(psutil.Error):
                if str(owner.parent) in psutil.Process(int(pid)).cmdline():
                    yield int(pid)


async def _feed(process: "asyncssh.SSHServerProcess[bytes]", stdin: asyncio.StreamWriter) -> None:
    """Hand on what the client sends; a wrapper that has heard enough is no error."""
    with contextlib.suppress(OSError, asyncssh.BreakReceived, asyncssh.SignalReceived):
        while chunk := await process.stdin.read(CHUNK_BYTES):
            stdin.write(chunk)
            await stdin.drain()
        stdin.write_eof()


async def _copy(source: asyncio.StreamReader, target: "asyncssh.SSHWriter[bytes]") -> None:
    while chunk := await source.read(CHUNK_BYTES):
        target.write(chunk)
        await target.drain()


def _ports_apart(fleet: FleetSpec) -> dict[tuple[HostName | None, int], int]:
    """A port for each gateway of a fleet: the declared one, or the next that no other has."""
    declared = [
        (agent.host, agent.kind.port)
        for agent in fleet.agents.values()
        if isinstance(agent.kind, OpenClawAgent)
    ]
    ports: dict[tuple[HostName | None, int], int] = {}
    taken = {port for _, port in declared}
    free = (port for port in count(FIRST_PORT) if port not in taken)
    for gateway in declared:
        if gateway not in ports:
            _, port = gateway
            ports[gateway] = next(free) if port in ports.values() else port
    return ports


class _SshServer(asyncssh.SSHServer):
    """One connection to the SSH server; its user name says which host it is."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._user = ""
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn

    def connection_lost(self, exc: Exception | None) -> None:
        if self._connection is not None:
            self._sandbox.disconnected(self._user, self._connection)

    def begin_auth(self, username: str) -> bool:
        self._user = username
        if self._sandbox.is_lost(username) and self._connection is not None:
            self._connection.abort()
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return self._sandbox.admits(username, key)

    def auth_completed(self) -> None:
        if self._connection is not None:
            self._sandbox.connected(self._user, self._connection)

    def connection_requested(
        self, dest_host: str, dest_port: int, orig_host: str, orig_port: int
    ) -> asyncssh.SSHSocketSessionFactory:
        found = self._sandbox.gateway_at(self._user, dest_port)
        if dest_host not in LOCAL_NAMES or found is None:
            refused = "Connection refused"
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, refused)
        return found.serve
