"""The JSON that commands print."""

import json
from collections.abc import Iterator

import click
import msgspec
import pytest

from fleet_tui.cli.common import json_text
from fleet_tui.cli.main import LazyGroup
from fleet_tui.core.ids import Seq
from fleet_tui.core.ledger.replies import Accepted
from fleet_tui.core.text.untrusted import Untrusted
from tests.support.fleets import work


def test_remote_text_is_a_plain_string_and_cannot_act_on_a_terminal() -> None:
    text = json_text({"spec": work("a\x1b]0;x\x07\u202eb", needs=["b", "a"])})
    assert all(char.isprintable() or char == "\n" for char in text)
    spec = json.loads(text)["spec"]
    assert spec["payload"] == "a\x1b]0;x\x07\u202eb"
    assert spec["needs"] == ["a", "b"]


@pytest.mark.parametrize(("text", "shown"), [("caf\udce9", "caf\\xe9"), ("a\ud800", "a<U+D800>")])
def test_half_a_character_is_spelled_out_wherever_it_stands(text: str, shown: str) -> None:
    """Names of files may be any bytes; most readers of JSON refuse halves of characters."""
    value = {"a": text, text: [text], "labels": {"db_user": text}, "u": Untrusted(text)}
    found = msgspec.json.decode(json_text(value))
    assert found == {"a": shown, shown: [shown], "labels": {"db_user": shown}, "u": shown}


WITHOUT = {
    "open": "runs until it is left",
    "review": "runs until it is left",
    "engine": "runs until it is stopped",
    "init": "writes a file and says so",
    "schema": "prints JSON anyway",
}
"""Commands without ``--json``, and why; README names them."""


def every_command(group: click.Group, before: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from every_command(command, f"{before}{name} ")
        else:
            yield before + name, command


def test_every_command_that_prints_something_prints_json() -> None:
    found = {
        name
        for name, command in every_command(LazyGroup("fleet-tui"))
        if not any("--json" in parameter.opts for parameter in command.params)
    }
    assert found == set(WITHOUT)


def test_tagged_values_say_what_they_are() -> None:
    assert json.loads(json_text(Accepted(seq=Seq(3))))["type"] == "accepted"


@pytest.mark.parametrize("value", [{"token=abcdefghijkl"}, b"token=abcdefghijkl", object()])
def test_no_json_is_made_of_what_nobody_looked_at_for_secrets(value: object) -> None:
    with pytest.raises(TypeError, match="no JSON is made of a"):
        json_text({"x": [value]})
