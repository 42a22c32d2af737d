"""Secrets do not come through, and nothing else is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_tui.base import redact as redacting
from fleet_tui.base.redact import MAX_PEM_LINES, LineRedactor, know, redact, redact_counted
from fleet_tui.wire.secrets import Secret

WORD = st.text(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", min_size=24, max_size=60
)
PLAIN = st.text("abc DEF 123 äöü .,;[](){}<>|\\\"'\n", max_size=40)


@pytest.mark.parametrize(
    "form",
    [
        "sk-{}",
        "sk-proj-{}",
        "ghp_{}",
        "github_pat_{}",
        "xoxb-{}",
        "eyJ{}.{}.{}",
        "Authorization: Bearer {}",
        "authorization: Basic {}",
        '"Authorization": "Bearer {}"',
        "Authorization={}",
        "Bearer {}",
        "token={}",
        "api_key: {}",
        "password\uff1a{}",
        "пароль={}",
        "密码={}",
        '"password": "{}"',
        "https://user:{}@example.org/",
        "-----BEGIN OPENSSH PRIVATE KEY-----\n{}\n-----END OPENSSH PRIVATE KEY-----",
        "-----BEGIN RSA PRIVATE KEY-----\n{}\n{}",
    ],
)
@given(secret=WORD, before=PLAIN, after=PLAIN)
def test_a_secret_of_a_known_form_is_gone(form: str, secret: str, before: str, after: str) -> None:
    text = f"{before} {form.replace('{}', secret)} {after}"
    clean, count = redact_counted(text)
    assert secret not in clean
    assert count >= 1
    assert "[redacted:" in clean


@given(st.text())
def test_redaction_never_fails_and_is_stable(text: str) -> None:
    assert redact(redact(text)) == redact(text)


@given(PLAIN)
def test_what_holds_no_secret_stays_as_it_is(text: str) -> None:
    assert redact_counted(text) == (text, 0)


@pytest.mark.parametrize(
    "part", ["-eyJaaaaaaaa", "eyJ-", "eyJaaaaaaaa-.b ", "authorization ", "://a"]
)
def test_a_text_that_only_looks_like_secrets_is_read_once(part: str) -> None:
    """Were it read again from each beginning, this would take far longer than a test may."""
    text = part * (1_500_000 // len(part))
    assert redact_counted(text) == (text, 0)


def test_a_token_after_a_dash_is_gone() -> None:
    clean = redact("id-eyJhbGciOiJ.eyJzdWIi.c2ln and 9eyJhbGciOiJ.eyJzdWIi.c2ln")
    assert clean == "id-[redacted:jwt] and 9eyJhbGciOiJ.eyJzdWIi.c2ln"


def test_what_is_around_a_secret_stays() -> None:
    assert redact("GET /?token=abcdefgh&x=1") == "GET /?token=[redacted:secret]&x=1"
    assert redact("a sk-abcdefghijklmnop b") == "a [redacted:api-key] b"


def test_a_key_over_many_lines_is_hidden_as_a_whole() -> None:
    redactor = LineRedactor()
    lines = [
        "before",
        "x -----BEGIN EC PRIVATE KEY-----",
        "AAAA",
        "BBBB",
        "-----END EC PRIVATE KEY-----",
        "after",
    ]
    kept = [text for line in lines if (text := redactor.redact(line)) is not None]
    assert kept == ["before", "x [redacted:private-key]", "after"]
    assert redactor.count == 1


def test_a_key_that_never_ends_hides_only_so_much() -> None:
    redactor = LineRedactor()
    redactor.redact("-----BEGIN PRIVATE KEY-----")
    kept = [redactor.redact("line") for _ in range(MAX_PEM_LINES + 10)]
    assert kept[0] is None
    assert kept[-1] == "line"


@pytest.mark.parametrize("kind", ["env", "file", "host", "keyring", "cmd"])
def test_a_reference_to_a_secret_is_none(kind: str) -> None:
    said = f"a secret:{kind}:gateway/TOKEN b"
    assert redact(said) == said
    assert "hunter" not in redact("secret: hunter22")
    assert "hunter" not in redact(f"secret:{kind}=hunter22")


def test_a_secret_that_we_hold_is_taken_out_whatever_its_shape(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(redacting, "_known", [])
    Secret("plain words of ours")
    know("plain words of ours and more")
    know("short")
    text = "he said plain words of ours and more, then plain words of ours, in short"
    shown = "he said [redacted:token], then [redacted:token], in short"
    assert redact_counted(text) == (shown, 2)


def test_the_end_of_a_key_whose_beginning_was_cut_off_is_gone() -> None:
    cut = "AbCd0123+/=\n" * 5 + "-----END RSA PRIVATE KEY-----\nand more"
    assert redact(cut) == "[redacted:private-key]\nand more"


def test_a_key_that_begins_within_one_that_never_ends_is_hidden_as_long() -> None:
    begin = "-----BEGIN OPENSSH PRIVATE KEY-----"
    redactor = LineRedactor()
    redactor.redact(begin)
    for _ in range(MAX_PEM_LINES - 1):
        assert redactor.redact("x") is None
    assert redactor.redact(begin) is None
    assert redactor.redact("b3BlbnNzaC1rZXk") is None
    for _ in range(MAX_PEM_LINES - 2):
        assert redactor.redact("x") is None
    assert redactor.redact("a line of the log") == "a line of the log"
