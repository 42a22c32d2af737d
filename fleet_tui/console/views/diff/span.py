"""Two moments as the subject of a place."""

from typing import NamedTuple


class Span(NamedTuple):
    """From one instant to a later one, in milliseconds since the Unix epoch."""

    before_ms: int
    after_ms: int

    @classmethod
    def of(cls, subject: str) -> "Span | None":
        """The span that :attr:`subject` names; None for any other text."""
        before, _, after = subject.partition("..")
        if not (before.isdecimal() and after.isdecimal()):
            return None
        return cls(int(before), int(after))

    @property
    def subject(self) -> str:
        """As the subject of a place."""
        return f"{self.before_ms}..{self.after_ms}"

    def until(self, at_ms: int) -> "Span":
        """The span, cut at a later end."""
        return Span(min(self.before_ms, at_ms), min(self.after_ms, at_ms))
