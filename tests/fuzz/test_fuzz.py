"""Bytes from outside, tried in every run: what once broke a reader, payloads, and what hypothesis
makes of them. The long search is ``python -m tests.fuzz``."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS
from tests.support import payloads

REGRESSIONS = Path(__file__).parent / "regressions"

PIECES = (
    *(each.encode("utf-8", "surrogatepass") for each in (*payloads.ALL, *payloads.REPLIES)),
    *(b"state done 0 1 1 x\n", b"state running 1\n", b"blob out 3\nabc\n", b"end\n", b"gone a b\n"),
    *(b'{"type":"event","payload":{', b'"time":"tomorrow"', b"1e400", b"[" * 200, b"9" * 5_000),
    *(b"sk-", b"-----BEGIN RSA PRIVATE KEY-----", b"://a:b@", b"password=", b"\n", b"\r\n"),
    *(b"\x1f\x8b\x08\x00", b'{"kind":"manifest"}\n'),
)
BYTES = st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=40)), max_size=12).map(
    b"".join
)


@pytest.mark.parametrize(
    "file", sorted(REGRESSIONS.rglob("*/*")), ids=lambda file: f"{file.parent.name}-{file.name}"
)
def test_what_broke_a_reader_once(file: Path) -> None:
    TARGETS[file.parent.name](file.read_bytes())


@pytest.mark.parametrize("name", list(TARGETS))
def test_readers_of_bytes(name: str) -> None:
    @given(BYTES)
    def try_it(data: bytes) -> None:
        TARGETS[name](data)

    try_it()
