"""What is shown of a problem is safe, whoever found it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_tui.config.problems import Problem, ProblemSeverity, as_github, as_json, as_text
from fleet_tui.core.text.firewall import safe_line

STORM = "e" + "\u0301" * 30


def found(said: str) -> Problem:
    """A problem with the same words in every place."""
    return Problem(
        severity=ProblemSeverity.ERROR,
        file=said,
        line=1,
        col=1,
        width=1,
        path=said,
        message=said,
        hint=said,
        excerpt=(said,),
    )


def shown(problem: Problem) -> list[str]:
    """Every line that is printed of it."""
    parts = as_json(problem).values()
    return [
        *as_text(problem).split("\n"),
        as_github(problem),
        *(p for p in parts if type(p) is str),
    ]


@pytest.mark.parametrize("said", [STORM, "\x1b[2J", "a\nb", "\u202eexe", "\u3164"])
def test_no_word_of_a_problem_is_shown_raw(said: str) -> None:
    for line in shown(found(said)):
        assert said not in line
        assert safe_line(line) == line


@given(st.text(max_size=40))
def test_whatever_it_says_it_is_safe(said: str) -> None:
    assert all(safe_line(line) == line for line in shown(found(said)))
