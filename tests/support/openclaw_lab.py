"""Real OpenClaw gateways on this machine, reached through a real sshd.

Node and OpenClaw are installed once into FLEET_TUI_OPENCLAW_CACHE (default: this user's cache
directory, 0.85 GB); every gateway has a home, state, port and token of its own under a temporary
directory and talks to the stub model, so nothing leaves the machine. A gateway takes about 1 GiB
and ten seconds to start.
"""

import fcntl
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs
import psutil
import pytest

from fleet_tui.core.fleet import AgentSpec, OpenClawAgent
from fleet_tui.core.ids import AgentName, HostName, PoolName
from tests.support.sshd import SSHD, Sshd, make_sshd
from tests.support.stub_model import MODEL, StubModel, stub_model

OPENCLAW_VERSION = "2026.9.6"
"""The release that most tests with real gateways boot."""

OLDEST_VERSION = "2026.5.28"
"""The oldest release that is supported. The README's table has it and every stable release since;
2026.5.7 speaks another protocol."""

NOT_ASKED = "npm cannot be asked which OpenClaw release is the newest"

RELEASE = r"\d+(\.\d+){2}(-\d+)?"
"""The name of a release; a mended one has a number behind it."""

NODE_VERSION = "24.21.0"
"""At least 24.16 is what this OpenClaw asks for."""

GATEWAYS = 3
READY_WITHIN_S = 180.0
INSTALL_WITHIN_S = 600.0
LAST_CHARS = 2_000
"""Of what a gateway said, where it failed."""

ENDED_WITHIN_S = 330.0
"""A gateway that is told to stop gives its work 315 s and itself 10 more, by its own log."""

HOLD = "hold-start"
HOLD_HOOK = """\
import { existsSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
while (existsSync(process.env.OPENCLAW_STATE_DIR + "/hold-start")) await setTimeout(20);
export default function () {}
"""
"""A hook that takes its time to load. A gateway listens for half a second to two seconds before it
is ready, too short to be looked at for certain; it says that it is starting until its hooks are
loaded, and answers questions meanwhile."""

PORT_STEP = 211
"""A gateway derives further ports from its own, up to 110 above it."""

PRICES_USD_PER_MTOK = {"input": 3, "output": 15, "cacheRead": 0.3, "cacheWrite": 3.75}

HOST = HostName("lab")


class NotReady(RuntimeError):
    """A gateway that does not take work, and what it said last."""


class NotEnded(RuntimeError):
    """A gateway that was told to stop and goes on, and what it said last."""


@dataclass
class Gateway:
    """One real gateway. ``start`` after ``kill`` or ``stop`` keeps its port, token and state."""

    name: str
    directory: Path
    port: int
    token: str
    openclaw: list[str]
    process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    @property
    def spec(self) -> AgentSpec:
        """The gateway as a fleet declares it."""
        return AgentSpec(
            name=AgentName(self.name),
            pool=PoolName("lab"),
            host=HOST,
            kind=OpenClawAgent(port=self.port, token="secret:env:UNUSED"),
        )

    def start(self) -> None:
        """Start the process without waiting for it."""
        assert self.process is None, "already running"
        with (self.directory / "output.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*self.openclaw, "gateway", "run"],
                cwd=self.directory,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_ready(self) -> None:
        """Wait until it takes work. Raises NotReady with the last it said."""
        assert self.process is not None
        deadline = time.monotonic() + READY_WITHIN_S
        while not self._is_ready():
            code = self.process.poll()
            if code is not None:
                raise NotReady(f"{self.name} ended with {code} as it started: {self._said()}")
            if time.monotonic() > deadline:
                raise NotReady(
                    f"{self.name} was not ready after {READY_WITHIN_S:g} s: {self._said()}"
                )
            time.sleep(0.2)

    def _said(self) -> str:
        return (self.directory / "output.log").read_text(errors="replace")[-LAST_CHARS:]

    def wait_booted(self) -> None:
        """Wait until it takes work; one that ends or hangs as it starts is started once more.
        Raises NotReady with what it said both times."""
        try:
            self.wait_ready()
        except NotReady as first:
            self.stop()
            self.start()
            try:
                self.wait_ready()
            except NotReady as again:
                raise again from first

    def kill(self) -> None:
        """End it the way a crash does: SIGKILL to the gateway's own process alone."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.process = None

    def terminate(self) -> None:
        """Ask it to stop. It drains first; see :meth:`wait_ended`."""
        assert self.process is not None
        self.process.terminate()

    def wait_ended(self) -> int:
        """The exit code of a gateway that stops by itself. Raises NotEnded with what it said."""
        assert self.process is not None
        try:
            code = self.process.wait(ENDED_WITHIN_S)
        except subprocess.TimeoutExpired:
            words = f"{self.name} did not end in {ENDED_WITHIN_S:g} s: {self._said()}"
            raise NotEnded(words) from None
        self.process = None
        return code

    def hold_start(self) -> None:
        """Let its next start get as far as listening and no further; see HOLD_HOOK."""
        (self.directory / HOLD).touch()

    def release_start(self) -> None:
        """Let a held start go on."""
        (self.directory / HOLD).unlink(missing_ok=True)

    def run_at_once(self, most: int | None) -> None:
        """From its next start on let so many runs work at once, the others wait for their turn;
        None is what a gateway does by itself."""
        file = self.directory / "openclaw.json"
        config = json.loads(file.read_text())
        config["agents"]["defaults"].pop("maxConcurrent", None)
        if most is not None:
            config["agents"]["defaults"]["maxConcurrent"] = most
        file.write_text(json.dumps(config, indent=1))

    def add_agent(self, name: str) -> None:
        """From its next start on it has another agent beside ``main``."""
        file = self.directory / "openclaw.json"
        config = json.loads(file.read_text())
        config["agents"]["list"] = [{"id": "main", "default": True}, {"id": name}]
        file.write_text(json.dumps(config, indent=1))

    def restart(self) -> None:
        """Start it again and wait until it takes work."""
        self.start()
        self.wait_ready()

    def stop(self) -> None:
        """End it and its child processes."""
        if self.process is None:
            return
        family: list[psutil.Process] = []
        with suppress(psutil.NoSuchProcess):  # it may have ended by itself
            family = psutil.Process(self.process.pid).children(recursive=True)
        self.kill()
        for child in family:
            try:
                child.kill()
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(family, timeout=10)

    def configure(self, model_url: str) -> None:
        """Write its configuration: loopback, token, offline model, no turns of its own."""
        model = {
            "id": MODEL,
            "name": MODEL,
            "reasoning": False,
            "input": ["text"],
            "contextWindow": 128_000,
            "maxTokens": 8_192,
            "cost": PRICES_USD_PER_MTOK,
        }
        provider = {
            "baseUrl": model_url,
            "apiKey": "unused",
            "api": "openai-completions",
            "models": [model],
        }
        config = {
            "gateway": {
                "mode": "local",
                "port": self.port,
                "bind": "loopback",
                "auth": {"mode": "token", "token": self.token},
                "controlUi": {"enabled": False},
            },
            "models": {"mode": "replace", "providers": {"stub": provider}},
            "agents": {
                "defaults": {
                    "workspace": str(self.directory / "workspace"),
                    "skipBootstrap": True,
                    "model": {"primary": f"stub/{MODEL}"},
                    "heartbeat": {"every": "0m"},
                }
            },
            "logging": {"level": "info", "file": str(self.directory / "gateway.log")},
            "update": {"checkOnStart": False},
            "hooks": {"internal": {"entries": {HOLD: {"enabled": True}}}},
        }
        hook = self.directory / "hooks" / HOLD
        hook.mkdir(parents=True)
        described = {"openclaw": {"events": ["command:stop"]}}
        (hook / "HOOK.md").write_text(
            f"---\nname: {HOLD}\ndescription: Holds a start.\n"
            f"metadata: {json.dumps(described)}\n---\n"
        )
        (hook / "handler.js").write_text(HOLD_HOOK)
        (self.directory / "workspace").mkdir(parents=True)
        file = self.directory / "openclaw.json"
        file.write_text(json.dumps(config, indent=1))
        file.chmod(0o600)

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if "OPENCLAW" not in name}
        return kept | {
            "HOME": str(self.directory),
            "PATH": f"{Path(self.openclaw[0]).parent}:{os.environ['PATH']}",
            "OPENCLAW_STATE_DIR": str(self.directory),
            "OPENCLAW_CONFIG_PATH": str(self.directory / "openclaw.json"),
            "OPENCLAW_NO_RESPAWN": "1",
            "OPENCLAW_DISABLE_BONJOUR": "1",
            "OPENCLAW_NO_AUTO_UPDATE": "1",
            "OPENCLAW_EXEC_SHELL_SNAPSHOT": "0",
            "NO_COLOR": "1",
        }

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=2) as said:
                ok: bool = said.status == 200
                return ok
        except (urllib.error.URLError, OSError):
            return False


@dataclass
class OpenClawLab:
    """Gateways that run, the sshd in front of them and the model behind them."""

    gateways: list[Gateway]
    sshd: Sshd
    model: StubModel


def _missing(reason: str) -> None:
    """Skip, unless this is CI, where everything but the registry must be there."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"OpenClaw lab: {reason}")
    pytest.skip(f"OpenClaw lab: {reason}")


def _npm(directory: Path, *arguments: str, path: str = "") -> None:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "package.json").write_text('{"private": true}\n')
    subprocess.run(
        ["npm", *arguments, "--no-audit", "--no-fund", "--loglevel=error"],
        cwd=directory,
        env=os.environ | {"PATH": f"{path}{os.environ['PATH']}"},
        check=True,
        capture_output=True,
        timeout=INSTALL_WITHIN_S,
    )


def install(version: str = OPENCLAW_VERSION) -> list[str]:
    """The command that runs an OpenClaw release, installed first if this machine has none yet."""
    base = os.environ.get("FLEET_TUI_OPENCLAW_CACHE")
    cache = Path(base or platformdirs.user_cache_path("fleet-tui-test") / "openclaw")
    home = cache / f"{version}-node-{NODE_VERSION}"
    home.mkdir(parents=True, exist_ok=True)
    node = home / "node" / "node_modules" / ".bin" / "node"
    program = home / "app" / "node_modules" / "openclaw" / "openclaw.mjs"
    done = home / "installed"
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            if shutil.which("npm") is None:
                _missing("npm is not installed")
            if subprocess.run(["npm", "ping"], capture_output=True, check=False).returncode:
                pytest.skip("OpenClaw lab: the npm registry cannot be reached")
            try:
                _npm(home / "node", "install", f"node@{NODE_VERSION}")
                app = ("install", f"openclaw@{version}")
                _npm(home / "app", *app, path=f"{node.parent}:")
            except subprocess.CalledProcessError as error:
                _missing(f"npm install failed: {error.stderr.decode(errors='replace')[-500:]}")
            done.touch()
    return [str(node), str(program)]


def newest_version() -> str | None:
    """The newest release that npm offers; None where it cannot be asked."""
    if shutil.which("npm") is None:
        return None
    asked = subprocess.run(
        ["npm", "view", "openclaw", "version"],
        capture_output=True,
        text=True,
        check=False,
        timeout=INSTALL_WITHIN_S,
    )
    version = asked.stdout.strip()
    return version if asked.returncode == 0 and re.fullmatch(RELEASE, version) else None


def _free_port(after: int) -> int:
    """A port nobody listens on, with room for the ones derived from it."""
    for port in range(after + PORT_STEP, 32_000, PORT_STEP):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port below 32000")


@pytest.fixture(scope="session")
def openclaw_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenClawLab]:
    """GATEWAYS ready gateways, a stub model and an sshd, for the whole test session."""
    with boot(tmp_path_factory.mktemp("openclaw"), OPENCLAW_VERSION, GATEWAYS) as lab:
        yield lab


@contextmanager
def boot(directory: Path, version: str, count: int) -> Iterator[OpenClawLab]:
    """So many gateways of a release, ready, with a model behind them and an sshd before them."""
    if not SSHD.exists():
        _missing(f"no OpenSSH server at {SSHD}")
    command = install(version)
    gateways: list[Gateway] = []
    port = 23_000 + os.getpid() % PORT_STEP
    with ExitStack() as running:
        sshd = make_sshd(directory / "sshd")
        running.callback(sshd.stop)
        model = running.enter_context(stub_model())
        for number in range(1, count + 1):
            port = _free_port(port)
            home = directory / f"claw-{number}"
            gateway = Gateway(f"claw-{number}", home, port, secrets.token_hex(24), command)
            gateway.configure(model.url)
            running.callback(gateway.stop)
            gateway.start()
            gateways.append(gateway)
        for gateway in gateways:
            gateway.wait_booted()
        yield OpenClawLab(gateways, sshd, model)
