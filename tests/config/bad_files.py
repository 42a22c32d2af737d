"""Writing wrong files and reading what is said about them."""

import pytest

from fleet_tui.config.load import InvalidFleet, load_bytes
from fleet_tui.config.problems import Problem

HEAD = "version: 1\nfleet: f\ndefaults: {host: h, token: secret:env:T}\n"
"""Three lines; what follows starts on line 4."""


def problems_of(text: str | bytes, **env: str) -> tuple[Problem, ...]:
    data = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(InvalidFleet) as caught:
        load_bytes(data, env=env)
    return caught.value.problems


def only(text: str | bytes, **env: str) -> Problem:
    problems = problems_of(text, **env)
    assert len(problems) == 1, [problem.message for problem in problems]
    return problems[0]


def agents(*lines: str) -> str:
    """A file whose first agent stands on line 5."""
    return HEAD + "agents:\n" + "".join(f"  {line}\n" for line in lines)


def agent(settings: str) -> str:
    """A file with one agent, its settings starting at 5:8."""
    return agents(f"a1: {{port: 1, {settings}}}")
