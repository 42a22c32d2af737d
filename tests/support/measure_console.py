"""What the console costs at rest: bytes to the terminal and CPU, in a real pty.

``python -m tests.support.measure_console [SECONDS] [LINES_PER_S]`` prints both for the live scene
at 120x40.
"""

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from pathlib import Path

ROWS, COLUMNS = 40, 120
WARM_UP_S = 4.0


def cpu_s(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def drain(handle: int, seconds: float) -> int:
    """Read what comes for a while; the number of bytes."""
    until = time.monotonic() + seconds
    octets = 0
    while (left := until - time.monotonic()) > 0:
        if select.select([handle], [], [], left)[0]:
            try:
                octets += len(os.read(handle, 65_536))
            except OSError:  # the other side is gone
                break
    return octets


def main() -> None:
    """Run the scene, wait until it is painted, measure, end it."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    lines = sys.argv[2] if len(sys.argv) > 2 else "5"
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    pid, handle = pty.fork()
    if pid == 0:
        arguments = [
            sys.executable,
            "-m",
            "tests.support.console_runner",
            "--live",
            "--lines",
            lines,
        ]
        os.execve(sys.executable, arguments, environment)
    fcntl.ioctl(handle, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    first = drain(handle, WARM_UP_S)
    before = cpu_s(pid)
    octets = drain(handle, seconds)
    used = cpu_s(pid) - before
    os.kill(pid, signal.SIGTERM)
    drain(handle, 1.0)
    _, status = os.waitpid(pid, 0)
    print(f"first paint and warm-up {first} B; then {octets / seconds:.0f} B/s,", end=" ")
    print(f"{100 * used / seconds:.1f} % of a core, ended with {os.waitstatus_to_exitcode(status)}")


if __name__ == "__main__":
    main()
