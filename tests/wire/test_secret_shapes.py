"""Every shape of a secret goes, whatever is around it; what is none stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_tui.base.redact import LineRedactor, redact, redact_counted
from fleet_tui.core.text.redaction import is_token
from fleet_tui.core.text.secret_names import names_secret
from tests.support.secret_shapes import CANARY, HARMLESS, HEX, SHAPES

AROUND = st.text("abc 123 äöü\n()<>", max_size=20)


@pytest.mark.parametrize("shape", SHAPES)
@given(before=AROUND, after=AROUND)
def test_no_shape_comes_through(shape: str, before: str, after: str) -> None:
    clean, count = redact_counted(f"{before} {SHAPES[shape]} {after}")
    assert CANARY not in clean
    assert HEX not in clean
    assert count >= 1
    assert redact(clean) == clean


@pytest.mark.parametrize("shape", SHAPES)
def test_no_shape_comes_through_line_by_line(shape: str) -> None:
    redactor = LineRedactor()
    kept = [redactor.redact(line) for line in SHAPES[shape].split("\n")]
    assert not any(CANARY in line or HEX in line for line in kept if line is not None)
    assert redactor.count >= 1


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_secret_stays_as_it_is(text: str) -> None:
    assert redact_counted(text) == (text, 0)


def test_what_was_json_is_json() -> None:
    said = f'{{"password": "{CANARY}", "n": 1}}'
    assert redact(said) == '{"password": "[redacted:secret]", "n": 1}'


@pytest.mark.parametrize(
    "name",
    [
        "TOKEN",
        "DB_PASSWORD",
        "AWS_SECRET_ACCESS_KEY",
        "apiKey",
        "OPENAI_API_KEY",
        "X_KEY",
        "PGPASSWORD",
        "DB_PASSWORD_PROD",
        "API_KEYS",
        "SECRET_STRIPE",
        "DBPASS",
        "apiKeyOpenai",
        "dbPasswordProd",
        "SECRET_KEY_BASE",
        "NPM_AUTH",
        *("GITHUB_PAT", "GH_PAT", "AZURE_DEVOPS_EXT_PAT", "PAT", "BEARER", "COOKIE", "CI_JOB_JWT"),
        *("STRIPE_SK", "LDAP_BINDPW", "MY_CRED", "JWT", "CRED", "AUTHORIZATION", "AUTH_HEADER"),
        *("HMAC", "MNEMONIC", "SESSIONID", "KEYPASS", "X_COOKIE_EU"),
    ],
)
def test_names_that_say_it(name: str) -> None:
    assert names_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        *("PATH", "MAX_TOKENS", "PUBLIC_KEY", "KEYBOARD", "PASSWORD_FILE", "MONKEY", "COMPASS"),
        *("ANSIBLE_VAULT_PASSWORD_FILE", "TOKEN_URL", "PASSWORD_STORE_DIR", "API_KEY_ID"),
        *("PATTERN", "XDG_SESSION_ID", "SESSION_MANAGER", "DESKTOP_SESSION", "TASK", "COMPAT"),
        *("SSH_AUTH_SOCK", "SSH_ASKPASS", "tokenCount", "passwordPolicy", "GPG_TTY"),
    ],
)
def test_names_that_do_not(name: str) -> None:
    assert not names_secret(name)


def test_a_token_is_known_without_its_name() -> None:
    assert is_token(f"sk-{CANARY}")
    assert not is_token(f"password={CANARY}")
    assert not is_token(CANARY)


@pytest.mark.parametrize(
    "part",
    [
        *(
            "password='",
            "token=",
            "cookie=a=",
            'authorization: a="',
            "--api-key ",
            "?sig=",
            "token=a,",
        ),
        *(
            'password=\\"',
            "curl a",
            "AKIA",
            "token",
            "a,b;c&",
            "PRIVATE KEY",
            "glpat-",
            "SG.a.",
            "://a:",
            "-----END",
            "secret_a_",
            "passwordA",
            "mysql ",
            'value="',
            "password: |\n a\n",
            "password is a",
            'password="\n',
            'password=["a',
            "name: token value",
            '\\"',
            '"\\n',
            "token: a",
            "name: token, type: a, ",
            "a:5432:",
        ),
    ],
)
@pytest.mark.parametrize("begin", ["", "token=", "password: '", "curl ", "https://"])
def test_a_text_made_of_beginnings_is_read_once(begin: str, part: str) -> None:
    """Were it read again from each beginning, this would take far longer than a test may."""
    redact(begin + part * (200_000 // len(part)))
