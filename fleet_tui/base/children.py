"""The environment of programs that this one starts.

The engine's environment holds the tokens that ``secret:env:NAME`` names, and whatever else the
operator's shell had. Other programs get none of that: :func:`environment` leaves out every variable
that a fleet file names as a secret, every one whose name marks it as one, and every one whose
value, or ``NAME=value``, would be redacted on screen: a token, a URL with a password,
``--password=...``, ``PASS=`` followed by something like a credential. Everything else stays, such
as PATH, SSH_AUTH_SOCK or ANSIBLE_VAULT_PASSWORD_FILE. Further variables are given to a program by
``env`` in the fleet file.
"""

import os
import re
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

from fleet_tui.core.fleet import CommandAgent, FleetSpec, LocalAgent, OpenClawAgent
from fleet_tui.core.text.redaction import without_patterns
from fleet_tui.core.text.secret_names import names_secret

OURS = "FLEET_TUI_"
"""The prefix of our own settings. They apply to this process only: a program that is started for a
run gets its own."""

FROM_VARIABLE = "secret:env:"
_REFERENCE = re.compile(rf"{FROM_VARIABLE}(\w+)")

NOTHING: Mapping[str, str] = {}

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that may end this process."""

_named: set[str] = set()
"""Variables of this process that a fleet file names."""


def withhold(spec: FleetSpec) -> None:
    """From now on withhold the variables named by this fleet's references from all programs."""
    for agent in spec.agents.values():
        match agent.kind:
            case OpenClawAgent(token=token):
                references = [token]
            case CommandAgent(env=env) | LocalAgent(env=env):
                references = list(env.values())
        for reference in references:
            withhold_named(reference)


def withhold_named(text: str) -> None:
    """The same for every reference in a text, such as a fleet file that cannot be used."""
    _named.update(name for name in _REFERENCE.findall(text) if name in os.environ)


def environment(
    given: Mapping[str, str] = NOTHING, *, of: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The environment of a child: this process's (or ``of``) without secrets, and ``given``
    unchanged."""
    whole = os.environ if of is None else of
    return {name: value for name, value in whole.items() if not _is_kept(name, value)} | dict(given)


@contextmanager
def hidden() -> Iterator[None]:
    """During the block, this process's own environment is reduced to that of a child.

    For a library that starts a program by itself; not with other threads that read it.
    """
    kept = {name: value for name, value in os.environ.items() if _is_kept(name, value)}
    for name in kept:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(kept)


def with_our_settings() -> dict[str, str]:
    """The same for a process of this program that needs no secret: with our own settings."""
    return environment({n: v for n, v in os.environ.items() if n.startswith(OURS)})


def of_an_engine() -> dict[str, str]:
    """Everything, only for the fleet's engine, which resolves ``secret:env``."""
    return dict(os.environ)


def _is_kept(name: str, value: str) -> bool:
    """Whether a variable stays in this process."""
    return (
        name.startswith(OURS)
        or name in _named
        or names_secret(name)
        or any(without_patterns(said)[1] > 0 for said in (value, f"{name}={value}"))
    )


class Birth:
    """Defers signals that may end this process while it starts another one: an interrupt at that
    point would leave the other one running unknown.

    ``known`` delivers the signals, once the block that ends the other process is entered; the end
    of this block does it too.
    """

    def __init__(self) -> None:
        self._came: list[int] = []
        self._before: dict[int, Any] = {}
        if threading.current_thread() is not threading.main_thread():
            return  # signals do not interrupt it
        for number in ENDING:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._defer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.known()

    def _defer(self, number: int, _: FrameType | None) -> None:
        self._came.append(number)

    def known(self) -> None:
        """Handle signals as before, deferred ones first. Raises what they raise."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()
        numbers, self._came = self._came, []
        for number in numbers:
            signal.raise_signal(signal.Signals(number))
