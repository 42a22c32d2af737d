"""What looks like a credential, and what only has letters and digits."""

import pytest

from fleet_tui.core.text.secret_values import is_login, is_mixed, is_random

RANDOM = (
    "a1b2c3d4e5",
    "9f86d081884c7d65",
    "C4n4ryQz7Qz7",
    "x-a1b2c3d4e5-y",
    "aaaaaaaaaa1111111111",
    "zz/C4n4ryQz7Qz7",
    "aaa11bbb22cc",
    "AbAbAbAb12",
    "A1A1A1A1AA",
)
MIXED = ("hunter2", "abc123", "t0-abc123", "p@ssw0rd", "x9$kL2!q", "a1234567", "12ab56")
NONE = (
    *("hunter", "abc12", "123456", "a-1-b-2", "x9!k", "llllllll!", "12345678!", "ab!cd!ef"),
    *("sha256", "SHA512", "hmacsha256", "oauth2", "int32", "utf8mb4", "base64url", "ed25519"),
    *("secp256k1", "argon2id", "0x7ffd1234", "12345ms", "123456th", "90minutes", "4096bits"),
    *(
        "/run/secrets/db12345",
        "~/a1b2c3d4e5",
        "./abc123",
        "C:\\abc123",
        "https://abc123.example.org",
    ),
    *("ann2024@example.org", "SHA256:a1b2c3d4e5", "MD5:a1b2c3", "AAAAB3NzaC1yc2E", "abc123(x)"),
    *("fs.read2file3(p)", "[#a1b2c3](x", "route](/a1b2c3d4e5", "#ddd0c0"),
)
IDS = ("123e4567-e89b-12d3-a456-426614a74c0f", "01JABCDEFGHJKMNPQRSTVWXYZ0")


@pytest.mark.parametrize("value", RANDOM)
def test_what_chance_made_is_a_credential_after_any_name(value: str) -> None:
    assert is_random(value)
    assert is_mixed(value)


@pytest.mark.parametrize("value", MIXED)
def test_letters_with_digits_are_one_after_the_name_of_a_secret(value: str) -> None:
    assert is_mixed(value)
    assert not is_random(value)


@pytest.mark.parametrize("value", NONE)
def test_what_logs_are_full_of_is_none(value: str) -> None:
    assert not is_mixed(value)
    assert not is_random(value)


@pytest.mark.parametrize("value", IDS)
def test_an_id_is_one_after_the_name_of_a_secret_only(value: str) -> None:
    assert is_mixed(value)
    assert not is_random(value)


@pytest.mark.parametrize(
    "value", ["aaaaaaaaaa111111111", "aaa111bbb222", "value1234567", "a1b2c3d4e", "A" * 30]
)
def test_what_could_be_a_word_and_a_number_is_none_after_a_key(value: str) -> None:
    assert not is_random(value)


@pytest.mark.parametrize(
    ("value", "login"),
    [
        ("Ym9iOmh1bnRlcjI=", True),
        ("Ym9i!Omh1bnRlcjI=", False),
        ("Q2F0cyBhbmQgZG9ncw==", False),
        ("YWI6AAAA", False),
        ("a", False),
        ("Ym9iOmh1bnRlcjI", True),
        ("YWxhZGRpbjpw5HNzd29ydA==", True),
        ("YWxhZGRpbjpw5OTkc3N3b3Jk", False),
        ("5GJjOnB3", False),
        ("OnRva2Vu", True),
        ("YTpi5AI=", False),
    ],
)
def test_a_login_is_a_user_and_a_password_in_base64(value: str, login: bool) -> None:
    assert is_login(value) is login
