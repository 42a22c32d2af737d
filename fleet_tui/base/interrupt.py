"""ctrl+c at any moment of a program's life ends it with 130, without a word of Python's.

Python raises KeyboardInterrupt wherever it happens to be, and what becomes of it depends on where
that was:

- Nobody caught it, as while the program is still being imported or while one is being handled:
  Python ends by the signal. :func:`uncaught` ends with 130.
- It left a text that was being executed, as the making of a named tuple or a data class is. Python
  remembers that as uncaught although somebody caught it, and ``python -m`` then ends by the signal,
  whatever its exit code. The next text that is executed makes it forget; :func:`over` has one.
- It fell where Python swallows errors: a finalizer, the callback of a weak reference. Then
  :func:`lost` tells it again.
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
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, NoReturn

from fleet_tui.base.errors import ExitCode

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

AGAIN_AFTER_S = 0.05
"""Until then the place where an interrupt was lost is behind us."""


def program(main: Callable[[], int | None]) -> NoReturn:
    """Run a whole program and end the process: with the number that ``main`` returns or that it
    raises SystemExit with, with 0 for None, with 130 when it was interrupted."""
    atexit.register(_deafen)  # the first one to be registered is the last one to be called
    sys.excepthook = _unless_interrupted(sys.excepthook)
    sys.unraisablehook = _unless_lost(sys.unraisablehook)
    try:
        code = main()
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    finally:
        over()
    sys.exit(code)


def over() -> None:
    """The program did what it does: from now on an interrupt ends what is left of it at once."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _end)
    exec("")  # noqa: S102  # makes Python forget, see above


def uncaught() -> NoReturn:
    """What an exception hook does with a KeyboardInterrupt. Nothing is left to be unwound."""
    os._exit(ExitCode.INTERRUPTED)


def lost() -> None:
    """What a hook for errors that cannot be raised does with a KeyboardInterrupt: have it raised
    again in a moment, in the main thread and somewhere else."""
    again = threading.Timer(AGAIN_AFTER_S, _interrupt_main_thread)
    again.daemon = True
    again.start()


def _interrupt_main_thread() -> None:
    main = threading.main_thread().ident
    if main is not None:
        signal.pthread_kill(main, signal.SIGINT)  # which also wakes it from a call of the system


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
