"""How a bug is planted: a part of the program is another one while a block lasts."""

import inspect
import textwrap
from collections.abc import Callable
from contextlib import ExitStack
from types import CodeType
from typing import Any
from unittest.mock import patch

import msgspec

Planting = Callable[[ExitStack], None]


class Mutant(msgspec.Struct, frozen=True):
    """One planted bug."""

    name: str
    bug: str
    """What somebody got wrong."""
    plant: Planting


def change(target: object, name: str, value: object) -> Planting:
    """Put something else in the place of a part."""

    def plant(stack: ExitStack) -> None:
        stack.enter_context(patch.object(target, name, value))

    return plant


def all_of(*plantings: Planting) -> Planting:
    """Several changes that make one bug."""

    def plant(stack: ExitStack) -> None:
        for one in plantings:
            one(stack)

    return plant


def rewrite(owner: Any, name: str, old: str, new: str) -> Planting:
    """Have a function of a module or class with another text, as somebody could have written it.

    Raises LookupError while planting when the text does not stand there exactly once: the code has
    changed, and the bug has to be planted anew.
    """

    def plant(stack: ExitStack) -> None:
        function = owner.__dict__[name]
        source = textwrap.dedent(inspect.getsource(function))
        if source.count(old) != 1:
            raise LookupError(f"{name} has {source.count(old)} times {old!r}, not once")
        whole = compile(source.replace(old, new), inspect.getfile(function), "exec")
        (code,) = (c for c in whole.co_consts if isinstance(c, CodeType) and c.co_name == name)
        # The function itself changes, so whoever imported it by its name has the bug, too.
        stack.callback(setattr, function, "__code__", function.__code__)
        function.__code__ = code

    return plant
