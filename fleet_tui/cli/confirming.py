"""Asking before something is done: on a terminal with a question, elsewhere with an option."""

import sys

import click

from fleet_tui.base.errors import CommandRefused
from fleet_tui.core.text.firewall import safe_line


def confirm(question: str, *, yes: bool) -> None:
    """Go on only if the operator wants to. Raises CommandRefused without a yes, or where nobody can
    be asked."""
    if yes:
        return
    need_somebody("--yes skips the prompt")
    if not click.confirm(safe_line(question), err=True):
        raise CommandRefused("nothing was done")


def confirm_count(question: str, count: int, *, typed: int | None) -> None:
    """As :func:`confirm`, for what is done to everything: the operator types how many that is."""
    if typed is None:
        need_somebody(f"--confirm {count} confirms without a prompt")
        typed = click.prompt(safe_line(question), type=int, err=True)
    if typed != count:
        raise CommandRefused(f"there are {count:,}, not {typed:,}; nothing was done")


def need_somebody(otherwise: str) -> None:
    """Raises CommandRefused where nobody can be asked; ``otherwise`` is the way out."""
    if not all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr)):
        raise CommandRefused("not confirmed; nothing was done", hint=otherwise)
