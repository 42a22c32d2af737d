"""ctrl+c ends the program with 130 at any moment, without output from Python.

Python raises KeyboardInterrupt wherever it happens to be, and the effect depends on the place:

- It is not caught, such as while the program is still being imported or while another one is being
  handled: Python ends by the signal. :func:`uncaught` ends with 130.
- It left a text that was being executed, as the making of a named tuple or a data class is. Python
  remembers that as uncaught although somebody caught it, and ``python -m`` then ends by the signal,
  whatever its exit code. The next text that is executed makes it forget; :func:`over` has one.
- It is raised where errors are swallowed: in finalizers and callbacks of weak references, and in C
  code that queries a Python object and takes any error for a no, as msgspec does for each new type.
  One in a hundred interrupts during a start was lost there. So each is checked: if it is not
  handled a moment later, it is raised again.
- The program is already over. Python then waits for threads, and finally returns the signal to the
  system, which ends the process by it. From :func:`over` on an interrupt ends with 130 at once, and
  during Python's last steps it has no effect.

Before our first line runs, an interrupt is handled by Python alone. Source: CPython,
``run_eval_code_obj``, ``Py_RunMain`` and ``_PySignal_Fini``.
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
"""By then the place where an interrupt was lost has been left."""

MAX_CHAIN = 100
"""Chained errors, as from a failing cleanup."""


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
    """The program's work is done: from now on an interrupt ends the rest at once."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _end)
    exec("")  # noqa: S102  # makes Python forget, see above


@contextmanager
def left_to_a_loop() -> Iterator[None]:
    """For code that runs an event loop: asyncio turns an interrupt into a cancellation if it finds
    Python's own handler. Imports are safe inside: nothing is raised then."""
    is_ours = _settle(_interrupted, signal.default_int_handler)
    try:
        yield
    finally:
        if is_ours:
            _settle(signal.default_int_handler, _interrupted)


def uncaught() -> NoReturn:
    """The exception hook for a KeyboardInterrupt. Nothing is left to be unwound."""
    os._exit(ExitCode.INTERRUPTED)


def lost() -> None:
    """The hook for unraisable errors for a KeyboardInterrupt: have it checked, wherever it was
    raised."""
    if signal.getsignal(signal.SIGALRM) is _look_after:  # the console handles it in another way
        signal.setitimer(signal.ITIMER_REAL, LOOK_AFTER_S)


def _interrupted(number: int, frame: FrameType | None) -> NoReturn:
    """Python's own handling of an interrupt, with a later check."""
    del number, frame
    lost()
    raise KeyboardInterrupt


def _look_after(number: int, frame: FrameType | None) -> None:
    """Raise an interrupt again unless it is being handled, such as by a cleanup."""
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
    """Change the handler of interrupts unless another one was installed; returns whether it was
    changed."""
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
