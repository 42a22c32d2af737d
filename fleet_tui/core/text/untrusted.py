"""Text that came from outside and may try to control the terminal.

An :class:`Untrusted` value is not a ``str`` on purpose: the type checker refuses to hand one to a
widget, a print or a log call. It reaches the screen only through the text firewall,
:func:`fleet_tui.core.text.firewall.safe_line`.
"""

import msgspec


class Untrusted(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Remote or pasted text, kept exactly as it came. ``repr`` is safe to print; ``raw`` is not."""

    raw: str

    def __bool__(self) -> bool:
        return bool(self.raw)


NOTHING_SAID = Untrusted("")
