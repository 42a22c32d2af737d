"""Options whose values are a few words."""

from collections.abc import Iterable

import click

from fleet_tui.core.near import nearest


class OneOf(click.Choice[str]):
    """One of a few words, in capitals or not. The refusal of another one lists them, and says which
    is the nearest."""

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
