"""What has the shape of a secret is taken out, what is around it stays as it was."""

import json

import pytest

from fleet_tui.core.redaction import is_token, without_patterns, without_secrets
from fleet_tui.core.secret_names import MAX_NAME_CHARS, names_secret
from fleet_tui.core.untrusted import Untrusted
from tests.support.secret_shapes import CANARY, HARMLESS, HEX, SHAPES


@pytest.mark.parametrize("shape", SHAPES)
def test_no_shape_comes_through(shape: str) -> None:
    clean, count = without_patterns(SHAPES[shape])
    assert CANARY not in clean
    assert HEX not in clean
    assert count >= 1
    assert without_patterns(clean)[0] == clean


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_secret_stays_as_it_is(text: str) -> None:
    assert without_patterns(text) == (text, 0)
    assert not is_token(text)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (f"a sk-{CANARY} b", "a [redacted:api-key] b"),
        (f"token={CANARY} b", "token=[redacted:secret] b"),
        (f'{{"password": "{CANARY}", "n": 1}}', '{"password": "[redacted:secret]", "n": 1}'),
        (f"password: '{CANARY} and' b", "password: '[redacted:secret]' b"),
        (f'{{\\"token\\":\\"{CANARY}\\"}}', '{\\"token\\":\\"[redacted:secret]\\"}'),
        (f"{{\\'token\\':\\'{CANARY}\\'}}", "{\\'token\\':\\'[redacted:secret]\\'}"),
        (f'password = """\n{CANARY}\n""" b', 'password = """[redacted:secret]""" b'),
        (f"password = '''\n{CANARY}\n''' b", "password = '''[redacted:secret]''' b"),
        (f'{{"api_keys": ["{CANARY}", "{CANARY}"]}}', '{"api_keys": "[redacted:secret]"}'),
        (f'{{"password": {{"value": "{CANARY}"}}}}', '{"password": "[redacted:secret]"}'),
        (f"{{'api_keys': ['{CANARY}']}}", "{'api_keys': [redacted:secret]}"),
        (f'password="{CANARY}', 'password="[redacted:secret]'),
        (f'password=a"b{CANARY}" b', 'password=[redacted:secret]" b'),
    ],
)
def test_what_is_around_a_secret_stays(said: str, shown: str) -> None:
    assert without_patterns(said) == (shown, 1)


@pytest.mark.parametrize(
    "value", [CANARY, f'{CANARY}"{CANARY}', [CANARY, CANARY], {"value": CANARY}], ids=str
)
def test_what_was_json_is_json(value: object) -> None:
    clean, _ = without_patterns(json.dumps({"password": value, "n": 1}))
    assert json.loads(clean) == {"password": "[redacted:secret]", "n": 1}


def test_secrets_of_all_kinds_are_counted() -> None:
    said = f"sk-{CANARY} token={CANARY} password={CANARY}"
    shown = "[redacted:api-key] token=[redacted:secret] password=[redacted:secret]"
    assert without_patterns(said) == (shown, 3)


def test_people_see_the_beginning_without_its_secrets() -> None:
    said = Untrusted(f"token={CANARY} and more")
    assert without_secrets(said).raw == "token=[redacted:secret] and more"
    assert without_secrets(said, 16).raw == "token=[redacted:secret]"


def test_a_token_is_known_by_its_form_and_not_by_its_name() -> None:
    assert is_token(f"sk-{CANARY}")
    assert is_token(f"ghp_{CANARY}")
    assert is_token(f"AIza{CANARY}")
    assert not is_token(f"password={CANARY}")
    assert not is_token(f"Authorization: Bearer {CANARY}")
    assert not is_token(CANARY)
    assert not is_token("sk-short")


def test_a_name_says_that_its_value_is_a_secret() -> None:
    for name in ("TOKEN", "DB_PASSWORD", "AWS_SECRET_ACCESS_KEY", "apiKeyOpenai"):
        assert names_secret(name)
    for name in ("PATH", "MAX_TOKENS", "PASSWORD_FILE", "monkey"):
        assert not names_secret(name)


def test_a_name_of_any_length_is_judged_by_its_beginning() -> None:
    assert names_secret("A" * (MAX_NAME_CHARS - 6) + "_TOKEN")
    assert not names_secret("A" * (MAX_NAME_CHARS - 5) + "_TOKEN")
