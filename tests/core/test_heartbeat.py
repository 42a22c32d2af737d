"""What counts as a sign of life, and since when nothing was heard."""

from msgspec.structs import replace

from fleet_tui.core.tasks.evidence import Checkpoint, Running, Started
from fleet_tui.core.tasks.heartbeat import (
    MIN_ASK_MS,
    Beat,
    Ear,
    ask_every_ms,
    sign_of_life,
    silence_ms,
)
from fleet_tui.core.tasks.model import Attempt
from fleet_tui.core.text.untrusted import Untrusted
from tests.support.task import Run


def mark(sha256: str) -> Checkpoint:
    return Checkpoint(text=Untrusted("page 1"), sha256=sha256)


def test_a_run_is_asked_three_times_within_its_limit() -> None:
    assert ask_every_ms(30_000) == 10_000
    assert ask_every_ms(30_002) == 10_000
    assert ask_every_ms(1_500) == MIN_ASK_MS == 1_000


def test_the_first_word_is_a_sign_of_life_and_says_how_far_the_run_is() -> None:
    word = Running(output_bytes=5, checkpoint=mark("abc"))
    assert sign_of_life(None, word, 70) == Beat(at_ms=70, output_bytes=5, checkpoint="abc")


def test_where_output_is_counted_only_more_of_it_is_a_sign_of_life() -> None:
    before = Beat(at_ms=10, output_bytes=5)
    assert sign_of_life(before, Running(output_bytes=5), 20) == before
    assert sign_of_life(before, Running(output_bytes=6), 20) == Beat(at_ms=20, output_bytes=6)


def test_a_new_checkpoint_is_a_sign_of_life_and_the_same_one_is_not() -> None:
    before = Beat(at_ms=10, output_bytes=5, checkpoint="abc")
    assert sign_of_life(before, Running(output_bytes=5, checkpoint=mark("abc")), 20) == before
    new = sign_of_life(before, Running(output_bytes=5, checkpoint=mark("def")), 20)
    assert new == Beat(at_ms=20, output_bytes=5, checkpoint="def")


def test_where_output_is_not_counted_every_word_is_a_sign_of_life() -> None:
    assert sign_of_life(Beat(at_ms=10), Running(), 20) == Beat(at_ms=20)


def attempt(placed_ms: int, started_ms: int | None) -> Attempt:
    run = Run()
    run.fact(Started())
    return replace(run.task.attempts[0], planned_at_ms=placed_ms, started_at_ms=started_ms)


def test_silence_counts_from_the_last_of_start_word_and_listening() -> None:
    one = attempt(1_000, 2_000)
    assert silence_ms(one, Ear(), 10_000) == 8_000
    assert silence_ms(one, Ear(since_ms=3_000), 10_000) == 7_000
    beats = {one.run_id: Beat(at_ms=6_000)}
    assert silence_ms(one, Ear(since_ms=3_000, beats=beats), 10_000) == 4_000
    assert silence_ms(one, Ear(since_ms=9_000, beats=beats), 10_000) == 1_000


def test_of_a_run_whose_start_is_not_known_silence_counts_from_its_placement() -> None:
    assert silence_ms(attempt(1_000, None), Ear(), 10_000) == 9_000
