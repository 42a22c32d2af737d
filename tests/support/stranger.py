"""Another user of this machine, who does things in a shared directory. Tests that have
one are marked ``root``."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

UID = 65_534
"""``nobody``, on every system."""

_BECOME = f"""
import os, socket, sys
path = sys.argv[1]
def become():
    os.setgroups([]); os.setgid({UID}); os.setuid({UID})
"""


def does(code: str, path: Path) -> str:
    """Run Python as the other user, with ``path``; what it printed."""
    script = f"{_BECOME}\nbecome()\n{code}"
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


@contextmanager
def listening(path: Path) -> Iterator[subprocess.Popen[str]]:
    """The other user's process listens at a socket and prints what the first caller sends it until
    it hangs up."""
    script = f"""{_BECOME}
door = socket.socket(socket.AF_UNIX)
door.bind(path)
become()
door.listen()
print("listens", flush=True)
caller, _ = door.accept()
heard = b""
while part := caller.recv(65536):
    heard += part
print(f"heard {{heard!r}}", flush=True)
"""
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "listens\n"
        try:
            yield process
        finally:
            process.kill()


def heard(process: subprocess.Popen[str]) -> str:
    """The next line that a listening process prints."""
    assert process.stdout is not None
    return process.stdout.readline()
