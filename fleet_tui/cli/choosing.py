"""Option types that the library supports only in part: a few words, a file or piped input."""

import os
import stat
import sys
from collections.abc import Iterable
from typing import BinaryIO

import click

from fleet_tui.core.text.firewall import safe_line
from fleet_tui.core.text.near import nearest

MAX_SHOWN_CHARS = 200
"""Of a file's name."""


class OneOf(click.Choice[str]):
    """One of a few words, case-insensitively. The refusal of another one lists them, with the
    nearest one."""

    def __init__(self, words: Iterable[str]) -> None:
        """``words`` as they are shown and handed over."""
        super().__init__(tuple(words))

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """The word as it was given to the constructor."""
        text = str(value)
        for word in self.choices:
            if word.casefold() == text.casefold():
                return word
        near = nearest(text, self.choices)
        meant = f" Did you mean {near[0]!r}?" if near else ""
        listed = ", ".join(map(repr, self.choices))
        self.fail(f"{text!r} is not one of {listed}.{meant}", param, ctx)


class InputFile(click.ParamType[BinaryIO]):
    """A file to read bytes from; ``-`` is standard input. Endless files are refused; a pipe ends
    once its writer has closed it."""

    name = "filename"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> BinaryIO:
        """The open file."""
        name = str(value)
        if name == "-":
            if sys.stdin is None:
                self.fail("standard input is closed", param, ctx)
            return sys.stdin.buffer
        shown = safe_line(name, MAX_SHOWN_CHARS)
        try:
            file = open(name, "rb")  # noqa: SIM115 - closed with the command
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            self.fail(f"{shown}: {reason}", param, ctx)
        kind = os.fstat(file.fileno()).st_mode
        if stat.S_ISBLK(kind) or (stat.S_ISCHR(kind) and not file.isatty()):
            file.close()
            self.fail(f"{shown} is a device", param, ctx)
        if ctx is not None:
            ctx.call_on_close(file.close)
        return file
