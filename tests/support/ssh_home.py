"""What an operator has for SSH: ``~/.ssh`` with a config, a running ssh-agent, an authority.

The programs are OpenSSH's own; everything lives under a temporary directory.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncssh
import pytest
from asyncssh.sk_eddsa import _SKEd25519Key

RELAY = """
import os, selectors, socket, sys
print("connecting, please wait", file=sys.stderr, flush=True)
there = socket.create_connection((sys.argv[1], int(sys.argv[2])))
os.set_blocking(0, True)
both = selectors.DefaultSelector()
both.register(0, selectors.EVENT_READ)
both.register(there, selectors.EVENT_READ)
while True:
    for key, _ in both.select():
        data = os.read(0, 65536) if key.fileobj == 0 else there.recv(65536)
        if not data:
            sys.exit()
        print("relayed", len(data), file=sys.stderr, flush=True)
        there.sendall(data) if key.fileobj == 0 else os.write(1, data)
"""
"""A proxy as people write them: it talks on its error output while it works."""


class SshHome:
    """An operator's home, in force while the test runs."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ssh = directory / ".ssh"
        self.ssh.mkdir(parents=True, mode=0o700)
        monkeypatch.setenv("HOME", str(directory))
        monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)

    def config(self, text: str) -> None:
        """Write ``~/.ssh/config``."""
        (self.ssh / "config").write_text(text)

    def relay(self) -> str:
        """The option that reaches a host through a proxy program of our own."""
        program = self.ssh / "relay.py"
        program.write_text(RELAY)
        return f"ProxyCommand {sys.executable} {program} %h %p"

    def known(self, *lines: str) -> None:
        """Write ``~/.ssh/known_hosts``."""
        (self.ssh / "known_hosts").write_text("".join(lines))


def new_key(path: Path, passphrase: str = "") -> Path:
    """A key pair at ``path`` and ``path.pub``; returns the public half."""
    keygen("-t", "ed25519", "-N", passphrase, "-C", path.name, "-f", path)
    return path.with_name(f"{path.name}.pub")


def security_key(path: Path) -> None:
    """The file of a key that lives in a security key, and its public half; nobody has the thing."""
    public = bytes(asyncssh.generate_private_key("ssh-ed25519").public_data[-32:])
    key = _SKEd25519Key(public, "ssh:", 1, b"handle", b"")
    key.write_private_key(path)
    path.chmod(0o600)
    key.write_public_key(path.with_name(f"{path.name}.pub"))


def keygen(*arguments: str | Path) -> None:
    """Run ssh-keygen."""
    subprocess.run(["ssh-keygen", "-q", *map(str, arguments)], check=True, capture_output=True)


@contextmanager
def ssh_agent(socket: Path, *keys: Path) -> Iterator[Path]:
    """A living ssh-agent that holds these keys, listening on ``socket``."""
    environment = {**os.environ, "SSH_AUTH_SOCK": str(socket)}
    process = subprocess.Popen(
        ["ssh-agent", "-D", "-a", socket], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline(), "ssh-agent did not start"  # it listens once it prints
        for key in keys:
            subprocess.run(["ssh-add", "-q", key], check=True, env=environment, capture_output=True)
        yield socket
    finally:
        process.kill()
        process.wait()
        with contextlib.suppress(OSError):
            process.stdout.close()  # type: ignore[union-attr]  # it has one: see Popen above
        socket.unlink(missing_ok=True)
