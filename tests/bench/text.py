"""What every line from a host goes through: cut into lines, made safe to show."""

from collections.abc import Iterator
from functools import partial

from fleet_tui.core.text.firewall import safe_line
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.wire.framing import LineFramer
from tests.bench.frame import Row, at_least, at_most, cost_of

PLAIN = "12:04:31.204 INFO  run started model=sonnet skill=web-research session=4f1c tokens=1204"
HOSTILE = "\x1b]52;c;cm0gLXJmIC8=\x07[/x]\u202egnp.exe \x1b[2J\u200bok naïve ✓ " * 2
HUGE = "x" * 10_000_000
CONTROLS = dict.fromkeys((*range(32), *range(127, 160)), "?")
CHUNK_BYTES = 65_536


def firewall() -> Iterator[Row]:
    """One line to the screen, beside ``str.translate`` of its control characters alone."""
    for name, text, target in (
        ("plain ASCII line", PLAIN, at_most(1.0)),
        ("hostile line", HOSTILE, at_most(20.0)),
        ("10 MB line", HUGE, at_most(20_000.0)),
    ):
        line = Untrusted(text)
        yield Row(
            name=f"safe_line: {name}",
            figure=cost_of(partial(safe_line, line)).cpu_us,
            unit="µs",
            peer_name="str.translate",
            peer=cost_of(partial(str.translate, text, CONTROLS)).cpu_us,
            target=target,
        )


def framing() -> Iterator[Row]:
    """Lines per core-second out of chunks of 64 KiB, beside a bare split and decode."""
    lines = f"{PLAIN}\n".encode() * (CHUNK_BYTES // (len(PLAIN) + 1))
    count = lines.count(b"\n")

    def ours() -> None:
        framer = LineFramer()
        assert len(framer.feed(lines)) == count

    def bare() -> None:
        assert len([line.decode() for line in lines.split(b"\n")]) == count + 1

    yield Row(
        name="log lines framed",
        figure=cost_of(ours, count).per_cpu_second,
        unit="lines/s",
        peer_name="bytes.split and decode",
        peer=cost_of(bare, count).per_cpu_second,
        target=at_least(500_000),
    )
