"""A host at the end of a network of its own, whose packets can be dropped or refused.

A network namespace with a pair of interfaces and iptables; nothing outside of it changes. Needs
root and the right to make such things, which containers often withhold.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support import needs
from tests.support.sshd import Sshd, make_sshd

PROGRAMS = ("ip", "iptables")


def run(*words: str) -> None:
    """Run a program to its end; its words are in the error."""
    done = subprocess.run(words, capture_output=True, check=False)
    if done.returncode:
        raise OSError(f"{' '.join(words)}: {done.stderr.decode(errors='replace').strip()}")


class FarHost:
    """A namespace with an sshd in it, and what lies between."""

    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        self.directory = directory
        self.inside = ("ip", "netns", "exec", name)
        number = os.getpid() % 16_384
        # 198.18.0.0/15 is set aside for tests of networks (RFC 2544).
        at = f"198.18.{number // 64}"
        self.near, self.address = (f"{at}.{number % 64 * 4 + side}" for side in (1, 2))

    def make(self) -> Sshd:
        """Lay the line and start the server."""
        ours, theirs = f"{self.name}a", f"{self.name}b"
        run("ip", "netns", "add", self.name)
        run("ip", "link", "add", ours, "type", "veth", "peer", "name", theirs)
        run("ip", "link", "set", theirs, "netns", self.name)
        run("ip", "addr", "add", f"{self.near}/30", "dev", ours)
        run("ip", "link", "set", ours, "up")
        run(*self.inside, "ip", "addr", "add", f"{self.address}/30", "dev", theirs)
        run(*self.inside, "ip", "link", "set", theirs, "up")
        run(*self.inside, "ip", "link", "set", "lo", "up")
        run(*self.inside, "iptables", "-L", "-n")
        return make_sshd(self.directory, address=self.address, inside=self.inside)

    def drop(self) -> None:
        """Nothing arrives any more and nobody says so."""
        run(*self.inside, "iptables", "-A", "INPUT", "-j", "DROP")

    def refuse(self) -> None:
        """Every segment is answered with a reset."""
        reset = ("-j", "REJECT", "--reject-with", "tcp-reset")
        run(*self.inside, "iptables", "-A", "INPUT", "-p", "tcp", *reset)

    def heal(self) -> None:
        """Everything arrives again."""
        run(*self.inside, "iptables", "-F", "INPUT")

    def remove(self) -> None:
        """Take the namespace away, and with it both interfaces."""
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True, check=False)
        subprocess.run(["ip", "link", "del", f"{self.name}a"], capture_output=True, check=False)


@contextmanager
def far_host(directory: Path) -> Iterator[tuple[FarHost, Sshd]]:
    """A far host and its server, or no test where namespaces may not be made."""
    for program in PROGRAMS:
        if shutil.which(program) is None:
            needs.not_allowed(f"no {program} program on PATH")
    if os.getuid() != 0:
        needs.not_allowed("only root may make network namespaces")
    far = FarHost(f"ft{os.getpid()}", directory)
    server: Sshd | None = None
    try:
        try:
            server = far.make()
        except OSError as error:
            needs.not_allowed(f"no network namespace with iptables here: {error}")
        yield far, server
    finally:
        if server is not None:
            server.stop()
        far.remove()
