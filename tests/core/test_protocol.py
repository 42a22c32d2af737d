"""Frames between engine and console: whole ones are read, all others are refused with a reason."""

import msgspec
import pytest

from fleet_tui.core.engine.protocol import BadFrame, Hello, from_client, read_frame

HELLO = Hello(protocol=2, version="1", by="me")


def test_a_whole_frame_is_read() -> None:
    assert read_frame(from_client, msgspec.json.encode(HELLO) + b"\n") == HELLO


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"", "breaks off"),
        (msgspec.json.encode(HELLO), "breaks off"),
        (b"{}\n", "unknown shape"),
        (b'{"type":"hello","protocol":-1,"version":"1","by":"me"}\n', "unknown shape"),
        (b'{"type":"hello","new":' + b"[" * 100_000 + b"\n", "nested too deep"),
        (b"hello\n", "not JSON"),
        (b'{"type":"\xff"}\n', "not JSON"),
    ],
)
def test_what_is_no_whole_frame_is_refused(line: bytes, why: str) -> None:
    with pytest.raises(BadFrame, match=why):
        read_frame(from_client, line)
