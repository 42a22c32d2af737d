"""``python -m tests.support.gateway_server``: a simulated gateway on a loopback port of its own
process, so that a measurement of the other side has nothing of this side in it.

Prints the port and serves until its standard input ends.
"""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.simulation.gateway_client import TOKEN, gateway_bench
from tests.support.surroundings import CHECKOUT


async def main() -> None:
    """Serve until nobody listens any more."""
    async with gateway_bench(speed=1.0) as bench:
        print(bench.port, flush=True)
        await asyncio.to_thread(sys.stdin.read)


@contextmanager
def gateway_process() -> Iterator[int]:
    """The port of a gateway in a process of its own; its token is TOKEN."""
    command = [sys.executable, "-m", "tests.support.gateway_server"]
    with subprocess.Popen(
        command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()
            process.wait()


__all__ = ["TOKEN", "gateway_process"]

if __name__ == "__main__":
    asyncio.run(main())
