"""``python -m tests.support.struck MOMENT TALLY MODULE ARGUMENT...`` runs a module as ``python -m``
does, and sends itself SIGINT at one moment: the number of an event of Python's profiler (a call, a
return, of Python or of C), or one of :data:`MOMENTS`. The file TALLY gets the number of events
until then; of a moment ``0``, which never comes, of all of them.
"""

import os
import runpy
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from types import CodeType, FrameType

import msgspec

Matches = Callable[[CodeType, str], bool]

MOMENTS: dict[str, Matches] = {
    "the first import": lambda code, event: code.co_name == "_command_line",
    "a text that is executed": lambda code, event: code.co_filename == "<string>",
    "the group of commands is made": lambda code, event: code.co_name == "LazyGroup",
    "home is settled": lambda code, event: code.co_name == "settle_home",
    "the streams are belted": lambda code, event: code.co_name == "belt",
    "a command begins": lambda code, event: code.co_name == "make_context",
    "a loop is made": lambda code, event: code.co_name == "new_event_loop",
    "a loop's handler is set": lambda code, event: code.co_name == "run" and _of_runners(code),
    "a loop works": lambda code, event: code.co_name == "watched",
    "a loop ends": lambda code, event: code.co_name == "_cancel_all_tasks",
    "a loop is closed": lambda code, event: (
        event == "return" and code.co_name == "close" and _of_runners(code)
    ),
    "an error is told": lambda code, event: code.co_name in ("_tell", "_show"),
    "the command is done": lambda code, event: (
        event == "return" and code.co_name == "run" and code.co_filename.endswith("cli/main.py")
    ),
    "the program is over": lambda code, event: event == "return" and code.co_name == "over",
    "threads are waited for": lambda code, event: (
        code.co_name == "_shutdown" and code.co_filename.endswith("threading.py")
    ),
}


FINALIZER = "a finalizer runs"
TAKEN_FOR_A_NO = "an error is taken for a no"
LOST = (FINALIZER, TAKEN_FOR_A_NO)
"""Where an interrupt is raised to nobody."""

TEARDOWN = "modules are thrown away"

left: "list[AtTheEnd]" = []


def _of_runners(code: CodeType) -> bool:
    return code.co_filename.endswith("asyncio/runners.py")


def strike() -> None:
    """An interrupt, as from the terminal."""
    sys.setprofile(None)
    os.kill(os.getpid(), signal.SIGINT)


class AtTheEnd:
    """Strikes when the interpreter throws modules away."""

    def __del__(
        self, kill: Callable[[int, int], None] = os.kill, pid: int = os.getpid(), n: int = 2
    ) -> None:
        kill(pid, n)


class Unlucky:
    """Strikes in a finalizer, out of which nothing can be raised."""

    def __del__(self) -> None:
        strike()
        sum(range(3))


class Asked:
    """Strikes when msgspec asks whether it knows this type, and takes any error for a no."""

    def __hash__(self) -> int:
        strike()
        return sum(range(3))


def unlucky(moment: str) -> None:
    """Has an interrupt lost."""
    if moment == FINALIZER:
        Unlucky()
    else:
        with suppress(TypeError):
            msgspec.convert(1, Asked())


def main(moment: str, tally: str, module: str, *arguments: str) -> None:
    """Does all of it. Counted is from where the program can answer an interrupt at all."""
    seen = 0
    guarded = False
    number = int(moment) if moment.isdigit() else -1
    matches = MOMENTS.get(moment)
    done = os.open(tally, os.O_WRONLY | os.O_CREAT, 0o600)

    def look(frame: FrameType, event: str, _: object) -> None:
        nonlocal seen, guarded
        guarded = guarded or frame.f_code.co_name == "_command_line"
        if not guarded:
            return
        seen += 1
        if moment in LOST and frame.f_code.co_name == "make_context":
            os.pwrite(done, str(seen).encode(), 0)
            unlucky(moment)
        elif seen == number or (matches is not None and matches(frame.f_code, event)):
            os.pwrite(done, str(seen).encode(), 0)
            strike()

    sys.argv = [module, *arguments]
    if moment == TEARDOWN:
        left.append(AtTheEnd())
        os.pwrite(done, b"1", 0)
    sys.setprofile(look)  # and it stays, until the interpreter is gone
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        if number == 0:
            os.pwrite(done, str(seen).encode(), 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
