"""What is shown of a problem is safe, whoever found it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_tui.base.redact import redact
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


@pytest.mark.parametrize("path", ["agents.a.token", "defaults.env.API_KEY", "agents.a.pool"])
def test_our_own_words_about_a_secret_are_not_taken_for_it(path: str) -> None:
    said = "expected a word, got 3"
    problem = replace(found("x"), path=path, message=said)
    for text in (as_text(problem), as_github(problem)):
        assert path in redact(text)
        assert said in redact(text)


@given(st.text(max_size=40))
def test_whatever_it_says_it_is_safe(said: str) -> None:
    assert all(safe_line(line) == line for line in shown(found(said)))
