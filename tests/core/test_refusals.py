"""The words of refusals are one closed vocabulary."""

import ast
from pathlib import Path

import msgspec
import pytest

import fleet_tui
from fleet_tui.core.engine.decide import code_of_mode
from fleet_tui.core.fleet import Nameable
from fleet_tui.core.ledger.decided import unknown_name
from fleet_tui.core.ledger.refusals import RefusalCode
from fleet_tui.core.ledger.replies import Refused, Reply
from fleet_tui.core.modes import EngineMode


def test_every_mode_takes_commands_or_says_why_not() -> None:
    for mode in EngineMode:
        if mode.takes_commands:
            with pytest.raises(ValueError, match="takes commands"):
                code_of_mode(mode)
        else:
            assert code_of_mode(mode).is_undecided, "the same command is taken in a better mode"


def test_whoever_must_ask_again_and_whoever_must_not() -> None:
    again = {code for code in RefusalCode if code.is_undecided}
    assert {RefusalCode.READ_ONLY_MODE, RefusalCode.RECOVERY_MODE, RefusalCode.NO_REPLY} <= again
    assert not any(code.is_full for code in again)
    assert {code for code in RefusalCode if code.is_unanswered} <= again
    assert RefusalCode.READ_ONLY not in again, "a console that may not act never may"


def test_what_a_description_did_not_mean_is_told_from_what_is_wrong() -> None:
    passed_by = {code for code in RefusalCode if code.is_not_for_it}
    assert {RefusalCode.NOT_HELD, RefusalCode.ALREADY_OVER, RefusalCode.NO_DEAD_LETTER} <= passed_by
    assert not any(c.is_undecided or c.is_full or c.is_so_already for c in passed_by)
    assert RefusalCode.READ_ONLY not in passed_by


def test_every_thing_with_a_name_can_be_unknown() -> None:
    codes = {kind: unknown_name(kind, "x", ()).code for kind in Nameable}
    assert all(code.value == f"unknown-{kind}" for kind, code in codes.items())
    assert [kind.plural for kind in Nameable if kind.plural != f"{kind}s"] == ["capabilities"]


def test_a_word_of_a_newer_engine_is_a_refusal_all_the_same() -> None:
    said = b'{"type":"refused","code":"unheard-of","text":"No."}'
    reply = msgspec.json.decode(said, type=Reply)
    assert isinstance(reply, Refused)
    assert reply.code is RefusalCode.OTHER


def test_every_word_is_said_somewhere() -> None:
    """A word that nobody says is a word that somebody waits for in vain."""
    root = Path(fleet_tui.__file__).parent
    said = {
        node.attr
        for path in root.rglob("*.py")
        if path.name != "refusals.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "RefusalCode"
    }
    assert {code.name for code in RefusalCode} - said == {"OTHER"}
