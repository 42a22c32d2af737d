"""Misspelt values of a fleet file: the error names what is allowed, and the nearest of it."""

import pytest

from fleet_tui.config.problems import did_you_mean
from fleet_tui.config.secrets import reference
from fleet_tui.config.values import Unacceptable, failure_kind


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("exit2", "exit-2"),
        ("exit 2", "exit-2"),
        ("exit_2", "exit-2"),
        ("EXIT-2", "exit-2"),
        ("exit-02", "exit-2"),
        ("exit255", "exit-255"),
        ("exti-2", "exit-2"),
        ("2", "exit-2"),
        ("signal9", "signal-9"),
        ("sginal-9", "signal-9"),
        ("Signal-9", "signal-9"),
        ("SIGKILL", "signal-9"),
        ("sigterm", "signal-15"),
        ("KILL", "signal-9"),
        ("timout", "timeout"),
        ("TIMEOUT", "timeout"),
        ("comand_missing", "command-missing"),
    ],
)
def test_a_misspelt_kind_of_failure_gets_the_nearest(written: str, meant: str) -> None:
    with pytest.raises(Unacceptable, match=f'did you mean "{meant}"') as refused:
        failure_kind(written)
    assert "exit-1 to exit-255" in refused.value.hint


@pytest.mark.parametrize("written", ["exit-999", "exit-0", "signal-65", "exit-256", "oom", "0", ""])
def test_what_is_near_to_nothing_gets_no_guess(written: str) -> None:
    with pytest.raises(Unacceptable) as refused:
        failure_kind(written)
    assert "did you mean" not in refused.value.message
    assert "signal-1 to signal-64" in refused.value.hint


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("secret:evn:X", "env"),
        ("secret:Env:X", "env"),
        ("secret:fiel:~/x", "file"),
        ("secret:keyrign:a/b", "keyring"),
        ("secret:hosts:~/x", "host"),
    ],
)
def test_a_misspelt_kind_of_reference_gets_the_nearest(written: str, meant: str) -> None:
    with pytest.raises(Unacceptable, match=f'did you mean "{meant}"') as refused:
        reference(written)
    assert "secret:keyring:SERVICE/USER" in refused.value.hint


def test_what_could_be_a_secret_is_not_repeated() -> None:
    with pytest.raises(Unacceptable) as refused:
        reference("secret:hunter2")
    assert "hunter2" not in refused.value.message + refused.value.hint


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("eu_west", ["eu-west"], "eu-west"),
        ("eu-west", ["EU-West"], "EU-West"),
        ("p1", ["P0", "P1"], "P1"),
    ],
)
def test_capitals_and_separators_make_no_difference(
    word: str, known: list[str], meant: str
) -> None:
    assert did_you_mean(word, known) == f' - did you mean "{meant}"?'
