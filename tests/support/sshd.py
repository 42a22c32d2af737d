"""A real OpenSSH server on a loopback port, with keys, known_hosts and a home of its own.

What the account's shell does when it starts (a slow or talkative ``.bashrc``) is no part of a test:
sessions have an empty home. The home of the tests is named beside it, so that what a test leaves
behind is known (:mod:`tests.support.survivors`). Everything lives under a temporary directory;
processes are ended by pid.
"""

import contextlib
import getpass
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh
import psutil
import pytest

from fleet_tui.core.fleet import HostSpec
from fleet_tui.core.ids import HostName
from tests.support import needs

SSHD = needs.SSHD
READY_WITHIN_S = 10.0


@dataclass
class Sshd:
    """A running server. ``stop`` and ``start`` keep its port and keys."""

    directory: Path
    port: int
    extra: str = ""
    address: str = "127.0.0.1"
    inside: tuple[str, ...] = ()
    """What runs it somewhere else, such as ``ip netns exec NAME``, and becomes the server."""
    env: str = ""
    """More of the environment of its sessions: ``NAME=VALUE NAME=VALUE``."""
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def known_hosts(self) -> Path:
        return self.directory / "known_hosts"

    @property
    def home(self) -> Path:
        """What its sessions take for the user's home directory."""
        return self.directory / "home"

    @property
    def user_key(self) -> Path:
        return self.directory / "user_key"

    @property
    def host_key(self) -> Path:
        return self.directory / "host_key"

    @property
    def authorized_keys(self) -> Path:
        return self.directory / "authorized_keys"

    def spec(self, name: str = "box", **changes: object) -> HostSpec:
        """How to reach it."""
        base: dict[str, object] = {
            "name": HostName(name),
            "address": self.address,
            "port": self.port,
            "user": getpass.getuser(),
            "identity": str(self.user_key),
            "known_hosts": str(self.known_hosts),
            "use_ssh_config": False,
        }
        return HostSpec(**(base | changes))  # type: ignore[arg-type]  # a plain bag of fields

    def new_host_key(self) -> str:
        """Give the server another host key; returns its OpenSSH public form."""
        key = asyncssh.generate_private_key("ssh-ed25519")
        self.host_key.unlink(missing_ok=True)
        self.host_key.write_bytes(key.export_private_key())
        self.host_key.chmod(0o600)
        return key.export_public_key().decode().strip()

    def trust(self, public_key: str) -> None:
        """Write known_hosts so that it holds exactly this key."""
        self.known_hosts.write_text(f"[{self.address}]:{self.port} {public_key}\n")

    def allow(self, options: str = "") -> None:
        """Let the user key in, with authorized_keys options."""
        public = asyncssh.read_private_key(self.user_key).export_public_key().decode().strip()
        self.authorized_keys.write_text(f"{options} {public}\n".lstrip())

    def start(self) -> None:
        """Start and wait until it sends a banner."""
        (self.directory / "sshd_config").write_text(
            f"""
ListenAddress {self.address}:{self.port}
HostKey {self.host_key}
AuthorizedKeysFile {self.authorized_keys}
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
Subsystem sftp internal-sftp -d {self.home}
SetEnv HOME={self.home} TESTS_HOME={Path.home()} {self.env}
{self.extra}
"""
        )
        self.process = subprocess.Popen(
            [
                *self.inside,
                *(SSHD, "-D", "-f", self.directory / "sshd_config", "-E", self.directory / "log"),
            ],
            stdin=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + READY_WITHIN_S
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                log = (self.directory / "log").read_text(errors="replace")
                self.stop()
                raise RuntimeError(f"sshd does not start: {log}")
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            with socket.create_connection((self.address, self.port), timeout=1) as attempt:
                return attempt.recv(4) == b"SSH-"
        except OSError:
            return False

    def sessions(self) -> list[psutil.Process]:
        """The processes that serve connections now."""
        assert self.process is not None
        try:
            return psutil.Process(self.process.pid).children()
        except psutil.NoSuchProcess:
            return []

    def descendants(self) -> list[psutil.Process]:
        """Every process that was started through this server and still belongs to it."""
        assert self.process is not None
        return psutil.Process(self.process.pid).children(recursive=True)

    def kill_sessions(self) -> None:
        """End every connection without a goodbye."""
        for child in self.sessions():
            with contextlib.suppress(psutil.NoSuchProcess):
                for process in (child, *child.children()):
                    if process.name().startswith("sshd"):
                        process.kill()

    def stop(self) -> None:
        """End the server and every connection."""
        if self.process is None:
            return
        self.kill_sessions()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None


def free_port() -> int:
    """A loopback port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def make_sshd(
    directory: Path,
    extra: str = "",
    *,
    address: str = "127.0.0.1",
    inside: tuple[str, ...] = (),
    env: str = "",
) -> Sshd:
    """A started server, or no test where there is none to start: see :mod:`tests.support.needs`."""
    if (reason := needs.no_sshd()) is not None:
        needs.missing(reason)
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    directory.mkdir(parents=True, exist_ok=True)
    server = Sshd(directory, free_port(), extra, address, inside, env)
    server.home.mkdir(mode=0o700, exist_ok=True)
    key = asyncssh.generate_private_key("ssh-ed25519")
    server.user_key.write_bytes(key.export_private_key())
    server.user_key.chmod(0o600)
    server.allow()
    server.trust(server.new_host_key())
    server.start()
    return server


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    """A server of one's own."""
    server = make_sshd(tmp_path / "sshd")
    yield server
    server.stop()
