"""The phrases of asyncssh are those of the installed release."""

import ast
from pathlib import Path

import asyncssh
import pytest

from fleet_tui.wire.ssh.phrases import Phrase

OPENSSH = {  # met with the real programs: test_ssh, test_ssh_resolver
    Phrase.TOO_MANY_KEYS,
    Phrase.NO_LOCALNETWORK,
    Phrase.NEEDS_COMMAND,
    Phrase.NO_ADDRESS,
}


def literals() -> list[str]:
    package = Path(asyncssh.__file__).parent
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in package.glob("*.py"))
    nodes = (node for tree in trees for node in ast.walk(tree))
    return [
        n.value.lower() for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)
    ]


SAID = literals()


@pytest.mark.parametrize("phrase", [each for each in Phrase if each not in OPENSSH])
def test_asyncssh_says_it(phrase: Phrase) -> None:
    assert any(phrase.value in text for text in SAID)


def test_the_case_of_letters_does_not_matter() -> None:
    assert Phrase.REVOKED.is_in(ValueError("Host key is revoked"))
    assert not Phrase.REVOKED.is_in(ValueError("Host key is not trusted"))
