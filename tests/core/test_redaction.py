"""What has the shape of a secret is taken out, what is around it stays as it was."""

import json
from collections.abc import Sequence

import pytest

from fleet_tui.core.text import secret_search
from fleet_tui.core.text.redaction import (
    holds_secret,
    is_token,
    named_without_secrets,
    shown_names,
    starred,
    without_patterns,
    without_secrets,
)
from fleet_tui.core.text.secret_names import MAX_NAME_CHARS, names_secret
from fleet_tui.core.text.secret_shapes import SHAPES as TABLE
from fleet_tui.core.text.secret_shapes import Shape
from fleet_tui.core.text.untrusted import Untrusted
from tests.support.secret_shapes import CANARY, HARMLESS, HEX, SHAPES, TOKENS


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
        (
            rf"{{\\\"token\\\":\\\"{CANARY}\\\",\\\"n\\\":1}}",
            r"{\\\"token\\\":\\\"[redacted:secret]\\\",\\\"n\\\":1}",
        ),
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


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("passwd hunter2", "passwd [redacted:secret]"),
        ("set the password to hunter2.", "set the password to [redacted:secret]."),
        ("token abc123", "token [redacted:secret]"),
        ("the token `abc123`", "the token `[redacted:secret]`"),
        ("password x9$kL2!q", "password [redacted:secret]"),
        ("set SECRET x", "set SECRET [redacted:secret]"),
        ("set SECRET x; ls", "set SECRET [redacted:secret]; ls"),
        ("password=abc&n=2", "password=[redacted:secret]&n=2"),
        ('{"password": "abc", "n": 1}', '{"password": "[redacted:secret]", "n": 1}'),
        ("password: 'ab'", "password: '[redacted:secret]'"),
        ("auth=abc123", "auth=[redacted:secret]"),
        ("salt: a1b2c3", "salt: [redacted:secret]"),
        ("key=a1b2c3d4e5f6", "key=[redacted:secret]"),
        ("otp=123456 pin: 1234", "otp=[redacted:secret] pin: [redacted:secret]"),
        ("OTP 123 456", "OTP [redacted:secret]"),
        ('"pin": "1234"', '"pin": "[redacted:secret]"'),
        ("tool --pin 1234", "tool --pin [redacted:secret]"),
        ("your login code is 123456", "your login code is [redacted:secret]"),
        ("mysql -u root -pabc db", "mysql -u root -p[redacted:secret] db"),
        ("passwd hunter2 token abc123", "passwd [redacted:secret] token [redacted:secret]"),
        ("token usage, token abc123", "token usage, token [redacted:secret]"),
    ],
)
def test_a_short_secret_is_known_by_how_it_is_told(said: str, shown: str) -> None:
    clean, count = without_patterns(said)
    assert clean == shown
    assert count == shown.count("[redacted:")
    assert without_patterns(clean) == (clean, 0)


@pytest.mark.parametrize("kind", TOKENS)
def test_a_token_is_one_wherever_it_is(kind: str) -> None:
    assert is_token(TOKENS[kind])
    clean, count = without_patterns(f"begin {TOKENS[kind]} end")
    assert (clean[:16], clean[-5:], count) == ("begin [redacted:", "] end", 1)
    assert set(starred(TOKENS[kind])) == {"*"}


def test_stars_stand_where_a_secret_was() -> None:
    assert starred(f'{{"password": "{CANARY}"}} b') == f'{{"password": "{"*" * len(CANARY)}"}} b'
    assert starred(f"a ghp_{CANARY} b") == f"a {'*' * (len(CANARY) + 4)} b"
    keys = f'{{"api_keys": ["{CANARY}"], "n": 1}}'
    assert starred(keys) == f'{{"api_keys": "{"*" * (len(CANARY) + 2)}", "n": 1}}'
    assert starred("token: 'a b'") == "token: 'a b'"


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("db_password", "correct horse", "[redacted:secret]"),
        ("pin", "1234", "[redacted:secret]"),
        ("auth", "abc123", "[redacted:secret]"),
        ("team", f"ghp_{CANARY}", "[redacted:github-token]"),
        (f"ghp_{CANARY}", "x", "x"),
        (f"ghp_{CANARY}", f"a sk-{CANARY}", "a [redacted:api-key]"),
        ("db_password", "", ""),
        ("db_password", "secret:env:DB", "secret:env:DB"),
        ("db_password", "[redacted:secret]", "[redacted:secret]"),
        ("team", "blue", "blue"),
    ],
)
def test_a_value_is_shown_by_what_its_name_says(name: str, value: str, shown: str) -> None:
    assert named_without_secrets(name, value) == shown
    assert holds_secret(name, value) == (shown != value or "ghp_" in name)


def test_names_that_are_secrets_stay_apart() -> None:
    def show(name: str) -> str:
        return without_patterns(name)[0]

    names = [f"ghp_{CANARY}", "team", f"ghp_{CANARY}2", "[redacted:github-token] 2"]
    mark = "[redacted:github-token]"
    assert list(shown_names(names, show)) == [mark, "team", f"{mark} 2", f"{mark} 2 2"]
    assert list(shown_names(["a" * 11, "b" * 12], lambda _: "x")) == ["a" * 11, "x"]


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Basic Ym9iOmh1bnRlcjI=", "Basic [redacted:basic]"),
        (
            f"https://api.telegram.org/bot123456789:AA{CANARY[:33]}/getMe",
            "https://api.telegram.org/[redacted:telegram-token]/getMe",
        ),
        ("Basic Ym9iOmh1bnRlcjI", "Basic [redacted:basic]"),
        ("Basic YWxhZGRpbjpw5HNzd29ydA==", "Basic [redacted:basic]"),
        ("s.CjRaLLmo6aKtfopnyQPLns1U", "[redacted:service-token]"),
        ("x\ns.CjRaLLmo6aKtfopnyQPLns1U", "x\n[redacted:service-token]"),
        ("http POST https://x -a bob:hunter22x", "http POST https://x -a bob:[redacted:secret]"),
        (
            "curl -b session=abc123 -u bob:hunter22x https://x",
            "curl -b [redacted:cookie] -u [redacted:secret] https://x",
        ),
        ("curl -b 'a=b; c=d' https://x", "curl -b '[redacted:cookie]' https://x"),
        (
            "Authorization: rejected 2026-10-04T12:00:00Z by policy",
            "Authorization: [redacted:authorization] 2026-10-04T12:00:00Z by policy",
        ),
        (
            "Authorization: refused https://auth2.example.org/x",
            "Authorization: [redacted:authorization] https://auth2.example.org/x",
        ),
        (
            'openssl pkcs12 -passin "pass:hunter22x" -passout pass:second33y -in f',
            'openssl pkcs12 -passin "[redacted:secret]" -passout pass:[redacted:secret] -in f',
        ),
        ("old s.CjRaLLmo6aKtfopnyQPLns1U end", "old [redacted:service-token] end"),
        ('{"m": "a\\npin: 1234"}', '{"m": "a\\npin: [redacted:secret]"}'),
        (
            '{"m": "{\\"m\\": \\"a\\\\notp: 1234\\"}"}',
            '{"m": "{\\"m\\": \\"a\\\\notp: [redacted:secret]\\"}"}',
        ),
        ('"a\\notp: 1234', '"a\\notp: 1234'),
        ('"\\x otp: 1234"', '"\\x otp: [redacted:secret]"'),
    ],
)
def test_what_is_inside_of_other_forms_is_read_too(said: str, shown: str) -> None:
    clean, count = without_patterns(said)
    assert clean == shown
    assert count == shown.count("[redacted:")


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


@pytest.mark.parametrize("depth", range(6))
def test_texts_inside_of_texts_are_read_three_deep(depth: int) -> None:
    text = "a\notp: 1234"
    for _ in range(depth):
        text = json.dumps(text)
    clean, count = without_patterns(text)
    assert ("1234" not in clean, count) == ((True, 1) if depth <= 3 else (False, 0))


def test_every_text_in_a_text_counts_also_one_with_a_tab_in_it() -> None:
    clean, count = without_patterns('"a\\notp: 1234", "b\tc\\notp: 5678"')
    shown = "[redacted:secret]"
    assert (clean, count) == (f'"a\\notp: {shown}", "b\tc\\notp: {shown}"', 2)


@pytest.mark.parametrize(
    ("said", "secret"),
    [
        ('"é \\u00e9 \\/ a\\npin: 1234 end" tail', "1234"),
        ('"\\ud83d\\ude00 \\ud83d \\udE00\tb\\npin: 1234" c', "1234"),
        ('"x\\npassword: \\"hun\\\\ter22x\\" y" tail', "hun\\\\ter22x"),
        ('"a\\npin: 1\\u0032\\u00334 b"', "1\\u0032\\u00334"),
        ('"a\\r\\nkey: \\u00e9" b\n"c\\notp: 123456"', "123456"),
    ],
)
def test_only_the_secret_of_a_text_in_a_text_changes(said: str, secret: str) -> None:
    assert starred(said) == said.replace(secret, "*" * len(secret))
    assert without_patterns(said) == (said.replace(secret, "[redacted:secret]"), 1)


@pytest.mark.parametrize("depth", range(4))
def test_a_list_in_a_text_in_a_text_is_quoted_as_that_is(depth: int) -> None:
    text = json.dumps({"api_keys": [CANARY, CANARY], "n": 1})
    for _ in range(depth):
        text = json.dumps(text)
    clean, count = without_patterns(text)
    stars = starred(text)
    assert (CANARY in clean, CANARY in stars, len(stars)) == (False, False, len(text))
    for _ in range(depth):
        clean, stars = json.loads(clean), json.loads(stars)
    assert (json.loads(clean), count) == ({"api_keys": "[redacted:secret]", "n": 1}, 1)
    assert json.loads(stars)["n"] == 1


@pytest.mark.parametrize(
    "text", ['"\\x"', '"a \\"b" c"', '"\\x', '"a\\', '"\\x" "\\n"', '"\\ud83d"', '"a\\\n"']
)
def test_what_only_looks_like_json_is_read_as_it_is(text: str) -> None:
    assert without_patterns(text) == (text, 0)
    assert without_patterns(f'{text}\n"b\\notp: 1234"')[1] == 1


@pytest.mark.parametrize("shape", SHAPES)
def test_stars_take_as_much_room_as_what_they_stand_for(shape: str) -> None:
    said = SHAPES[shape]
    for text in (said, json.dumps(f"é {said}"), json.dumps(json.dumps(f"é\n{said}"))):
        assert len(starred(text)) == len(text)


def test_hints_are_looked_for_once_in_all_texts_of_a_depth(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []
    hinted = secret_search._hinted

    def counted(texts: Sequence[str]) -> dict[int, list[Shape]]:
        looked.append(len(texts))
        return hinted(texts)

    monkeypatch.setattr(secret_search, "_hinted", counted)
    without_patterns('"\\n" ' * 1_000)
    assert looked == [1_000, 1]


EXAMPLES = (
    *SHAPES.values(),
    *TOKENS.values(),
    *HARMLESS,
    "s.CjRaLLmo6aKtfopnyQPLns1U",
    "http POST https://x -a bob:hunter22x",
    "Basic Ym9iOmh1bnRlcjI=",
    "otp=123456 your login code is 123456",
    *(f"{name}={CANARY}" for name in ("CRED", "SESSIONID", "X_SK", "HMAC", "X_PAT", "MDP")),
)


# What stands after "d" is a secret in a key alone, of which the hint is all that says so.
@pytest.mark.parametrize(
    "shape",
    [shape for shape in TABLE if shape.kind != "jwk"],
    ids=lambda shape: f"{shape.kind} {shape.hints[0]}",
)
def test_the_least_text_that_has_a_shape_has_a_hint_of_it(shape: Shape) -> None:
    for example in EXAMPLES:
        for text in (example, example.upper()):
            found = shape.pattern.search(text)
            if found is not None:
                least = least_with(shape, text)
                assert any(hint in least.lower() for hint in shape.hints), least


def least_with(shape: Shape, text: str) -> str:
    """A text without any character at its beginning or end that the shape needs not."""
    while shape.pattern.search(text[1:]) is not None:
        text = text[1:]
    while shape.pattern.search(text[:-1]) is not None:
        text = text[:-1]
    return text


def test_what_texts_quote_is_found_in_each_of_them() -> None:
    quoted = [json.dumps(json.dumps(f"{n}\notp: 123{n}")) for n in range(3)]
    clean, count = without_patterns("\n".join(quoted))
    shown = [json.dumps(json.dumps(f"{n}\notp: [redacted:secret]")) for n in range(3)]
    assert (clean.split("\n"), count) == (shown, 3)


def test_secrets_that_different_shapes_have_are_told_in_their_places() -> None:
    assert without_patterns(f"1 ghp_{CANARY} 2 sk-{CANARY} 3 password={CANARY} 4") == (
        "1 [redacted:github-token] 2 [redacted:api-key] 3 password=[redacted:secret] 4",
        3,
    )
    hashed = "$6$rounds$abcdefghijklmnopqrstuv"
    shown = "[redacted:github-token][redacted:password-hash]"
    assert without_patterns(f"ghp_{CANARY}{hashed}") == (shown, 2)


def test_a_hint_is_of_the_text_that_has_it_among_many() -> None:
    said = '"\\n" ' * 40 + '"\\npin: 1234"' + ' "\\n"' * 40
    assert without_patterns(said) == (said.replace("1234", "[redacted:secret]"), 1)


PAIR = '"password", "hunter22x"'


@pytest.mark.parametrize(
    ("said", "given"),
    [
        (f"f({PAIR})", True),
        (f"f(g(h(x), y), {{'a': 1}}, ['b', ['c']], {PAIR})", True),
        (f"[f((a), (b)), (c), {PAIR}]", False),
        (f"f(['[', \"(\"], [a, {PAIR}])", False),
        (f"f(a), {{(b), {PAIR}}}", False),
        (f"f(aX, {PAIR})", True),
        (f"[aX, b, {PAIR}]", False),
        (f"[X {PAIR}]", False),
        (f'["a" {PAIR}]', True),
        # The first of a pair, an option, and what no bracket is seen around.
        (f"f([g(a(b), c)], [{PAIR}])", True),
        (f'["x", "--{PAIR[1:]}]', True),
        (f"f(a)) {PAIR}", True),
        (f"f({'a' * 300}, {PAIR})", True),
        (PAIR, True),
    ],
)
def test_a_name_has_its_value_behind_it_but_in_a_list_of_names(said: str, given: bool) -> None:
    shown = said.replace("hunter22x", "[redacted:secret]") if given else said
    assert without_patterns(said) == (shown, int(given))
