"""Confirmation before an action: on a terminal by a question, elsewhere by an option."""

import sys

import click

from fleet_tui.base.errors import CommandRefused
from fleet_tui.core.text.firewall import safe_line


def confirm(question: str, *, yes: bool) -> None:
    """Continue only if the operator confirms. Raises CommandRefused without a yes, or where there
    is no terminal to ask on."""
    if yes:
        return
    need_somebody("--yes skips the prompt")
    if not click.confirm(safe_line(question), err=True):
        raise CommandRefused("nothing was done")


def confirm_count(question: str, count: int, *, typed: int | None) -> None:
    """As :func:`confirm`, for an action on everything: the operator types the number of
    subjects."""
    if typed is None:
        need_somebody(f"--confirm {count} confirms without a prompt")
        typed = click.prompt(safe_line(question), type=int, err=True)
    if typed != count:
        raise CommandRefused(f"there are {count:,}, not {typed:,}; nothing was done")


def need_somebody(otherwise: str) -> None:
    """Raises CommandRefused where there is no terminal to ask on; ``otherwise`` is the way out."""
    if not all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr)):
        raise CommandRefused("not confirmed; nothing was done", hint=otherwise)
