"""ctrl+c at any moment of a program's life ends it with 130, without a word of Python's.

Python raises KeyboardInterrupt wherever it happens to be, and what becomes of it depends on where
that was:

- Nobody caught it, as while the program is still being imported or while one is being handled:
  Python ends by the signal. :func:`uncaught` ends with 130.
- It left a text that was being executed, as the making of a named tuple or a data class is. Python
  remembers that as uncaught although somebody caught it, and ``python -m`` then ends by the signal,
  whatever its exit code. The next text that is executed makes it forget; :func:`over` has one.
- It fell where errors are swallowed: in finalizers and callbacks of weak references, and in C code
  that asks a Python object something and takes any error for a no, as msgspec does for each type it
  learns. One of a hundred interrupts of a start went there. So each is looked after: where nobody
  handles it a moment later, it is raised again.
- The program was over already. Python waits for threads then, and at last hands the signal back to
  the system, which ends the process by it. From :func:`over` on an interrupt ends with 130 at once,
  and from Python's last steps on it changes nothing any more.

Before the first line of ours runs, an interrupt is Python's alone.
Source: CPython, ``run_eval_code_obj``, ``Py_RunMain`` and ``_PySignal_Fini``.
"""

import atexit
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

from fleet_tui.base.errors import ExitCode

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

Handler = Callable[[int, FrameType | None], Any]

LOOK_AFTER_S = 0.05
"""Until then the place where an interrupt was lost is behind us."""

MAX_CHAIN = 100
"""Errors that came of one another, which is what a cleanup that fails looks like."""


def program(main: Callable[[], int | None]) -> NoReturn:
    """Run a whole program and end the process: with the number that ``main`` returns or that it
    raises SystemExit with, with 0 for None, with 130 when it was interrupted."""
    atexit.register(_deafen)  # the first one to be registered is the last one to be called
    sys.excepthook = _unless_interrupted(sys.excepthook)
    sys.unraisablehook = _unless_lost(sys.unraisablehook)
    signal.signal(signal.SIGALRM, _look_after)
    _settle(signal.default_int_handler, _interrupted)
    try:
        code = main()
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    finally:
        over()
    sys.exit(code)


def over() -> None:
    """The program did what it does: from now on an interrupt ends what is left of it at once."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _end)
    exec("")  # noqa: S102  # makes Python forget, see above


@contextmanager
def left_to_a_loop() -> Iterator[None]:
    """For whoever runs an event loop: asyncio has an interrupt cancel what the loop does, if it
    finds Python's own handler. Everything may be imported in there: nothing is raised then."""
    is_ours = _settle(_interrupted, signal.default_int_handler)
    try:
        yield
    finally:
        if is_ours:
            _settle(signal.default_int_handler, _interrupted)


def uncaught() -> NoReturn:
    """What an exception hook does with a KeyboardInterrupt. Nothing is left to be unwound."""
    os._exit(ExitCode.INTERRUPTED)


def lost() -> None:
    """What a hook for errors that cannot be raised does with a KeyboardInterrupt: have it looked
    after, whoever raised it."""
    if signal.getsignal(signal.SIGALRM) is _look_after:  # a console has another use for it
        signal.setitimer(signal.ITIMER_REAL, LOOK_AFTER_S)


def _interrupted(number: int, frame: FrameType | None) -> NoReturn:
    """Python's own answer to an interrupt, looked after."""
    del number, frame
    lost()
    raise KeyboardInterrupt


def _look_after(number: int, frame: FrameType | None) -> None:
    """Raise an interrupt again, in its way, unless it is being handled: by a cleanup, for one."""
    del number, frame
    if _is_handled(sys.exception()):
        lost()
    else:
        signal.raise_signal(signal.SIGINT)


def _is_handled(error: BaseException | None) -> bool:
    for _ in range(MAX_CHAIN):
        if error is None or isinstance(error, KeyboardInterrupt):
            break
        error = error.__context__
    return error is not None


def _settle(ours: Handler, now: Handler) -> bool:
    """Change the handler of interrupts, unless it is somebody else's by now; whether it was not."""
    if signal.getsignal(signal.SIGINT) is not ours:
        return False
    signal.signal(signal.SIGINT, now)
    return True


def _end(number: int, frame: FrameType | None) -> NoReturn:
    del number, frame
    uncaught()


def _deafen() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _unless_interrupted(
    hook: Callable[[type[BaseException], BaseException, TracebackType | None], object],
) -> Callable[[type[BaseException], BaseException, TracebackType | None], None]:
    def hooked(
        kind: type[BaseException], error: BaseException, where: TracebackType | None
    ) -> None:
        if issubclass(kind, KeyboardInterrupt):
            uncaught()
        hook(kind, error, where)

    return hooked


def _unless_lost(
    hook: Callable[["UnraisableHookArgs"], object],
) -> Callable[["UnraisableHookArgs"], None]:
    def hooked(args: "UnraisableHookArgs") -> None:
        if issubclass(args.exc_type, KeyboardInterrupt):
            lost()
        else:
            hook(args)

    return hooked
