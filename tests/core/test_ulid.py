from hypothesis import given
from hypothesis import strategies as st

from fleet_tui.core.text.ulid import ENTROPY_BYTES, MAX_ULID_MS, new_ulid

instants = st.integers(0, MAX_ULID_MS)
entropies = st.binary(min_size=ENTROPY_BYTES, max_size=ENTROPY_BYTES)


def test_the_example_of_the_specification() -> None:
    assert new_ulid(1469918176385, bytes(10)) == "01ARYZ6S410000000000000000"
    assert new_ulid(MAX_ULID_MS, b"\xff" * 10) == "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"


@given(instants, entropies, instants, entropies)
def test_ids_sort_by_time_first(a_ms: int, a: bytes, b_ms: int, b: bytes) -> None:
    assert (new_ulid(a_ms, a) < new_ulid(b_ms, b)) == ((a_ms, a) < (b_ms, b))


def test_a_clock_before_1970_counts_as_1970() -> None:
    assert new_ulid(-3_600_000, bytes(10)) == new_ulid(0, bytes(10)) == "0" * 26
