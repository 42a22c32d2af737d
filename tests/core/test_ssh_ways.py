"""The way to a host out of its ssh_config, and what leaves no way to log in."""

import pytest

from fleet_tui.core.ssh.config import Resolved, UnknownTokenError
from fleet_tui.core.ssh.ways import Hop, judge_login, jump_chain, proxy_command


def host(user: str | None = "ops", **said: str) -> Resolved:
    lines: dict[str, tuple[str, ...]] = {keyword: (value,) for keyword, value in said.items()}
    return Resolved(original="web", hostname="10.0.0.1", port=22, user=user, said=lines)


@pytest.mark.parametrize(
    ("said", "hop"),
    [
        ("gw", ("gw", None, None)),
        ("gw:2222", ("gw", None, 2222)),
        ("bob@gw:2222", ("gw", "bob", 2222)),
        ("bob@corp@gw", ("gw", "bob@corp", None)),
        ("[::1]", ("::1", None, None)),
        ("bob@[fe80::1]:2222", ("fe80::1", "bob", 2222)),
        ("ssh://bob@gw:2222/", ("gw", "bob", 2222)),
        ("ssh://GX/", ("GX", None, None)),
        ("%r@%n-gw", ("web-gw", "ops", None)),
    ],
)
def test_a_jump_is_an_address_with_or_without_user_and_port(
    said: str, hop: tuple[str, str | None, int | None]
) -> None:
    (found,) = jump_chain(host(proxyjump=said))
    assert (found.address, found.user, found.port) == hop


def test_jumps_are_a_chain() -> None:
    assert jump_chain(host(proxyjump="a, bob@b:23")) == (
        Hop(address="a", user=None, port=None, text="a"),
        Hop(address="b", user="bob", port=23, text="bob@b:23"),
    )


@pytest.mark.parametrize("said", ["none", "None", "NONE"])
def test_none_is_no_way_but_the_direct_one(said: str) -> None:
    assert jump_chain(host(proxyjump=said)) == ()
    assert proxy_command(host(proxycommand=said)) is None


def test_what_is_not_said_is_no_way() -> None:
    assert jump_chain(host()) == ()
    assert proxy_command(host()) is None


@pytest.mark.parametrize(
    "said", ["", "bob@", "gw:ssh", "gw:22:22", "[]", "[::1]22x", "[::1]]:22", "a,,b", "@:22", "::1"]
)
def test_a_jump_to_no_host_is_refused(said: str) -> None:
    with pytest.raises(ValueError, match="names no host"):
        jump_chain(host(proxyjump=said))


def test_a_proxy_program_gets_its_tokens() -> None:
    assert proxy_command(host(proxycommand="nc %h %p")) == "nc 10.0.0.1 22"
    with pytest.raises(UnknownTokenError):
        proxy_command(host(proxycommand="nc %z"))


def test_a_proxy_program_that_passes_a_descriptor_is_refused() -> None:
    with pytest.raises(ValueError, match="ProxyUseFdpass is not supported"):
        proxy_command(host(proxycommand="nc", proxyusefdpass="yes"))
    assert proxy_command(host(proxycommand="nc", proxyusefdpass="no")) == "nc"


@pytest.mark.parametrize(
    ("resolved", "keywords"),
    [
        (host(), []),
        (host(user=None), []),
        (host(user="M\u00fcller"), []),
        (host(user="\ue000"), []),
        (host(pubkeyauthentication="no"), ["pubkeyauthentication"]),
        (host(pubkeyauthentication="false"), ["pubkeyauthentication"]),
        (host(pubkeyauthentication="yes"), []),
        (host(pubkeyauthentication="unbound"), []),
        (host(preferredauthentications="password"), ["preferredauthentications"]),
        (host(preferredauthentications="password,publickey"), []),
        (host(refuseconnection="moved"), ["refuseconnection"]),
        (
            host(pubkeyauthentication="no", refuseconnection="moved"),
            ["pubkeyauthentication", "refuseconnection"],
        ),
    ],
)
def test_what_leaves_no_way_to_log_in_is_named(resolved: Resolved, keywords: list[str]) -> None:
    assert [keyword for keyword, _ in judge_login(resolved)] == keywords


@pytest.mark.parametrize("code", [0xD800, 0xDCFC, 0xDFFF])
def test_a_user_whose_name_is_no_text_cannot_log_in(code: int) -> None:
    ((keyword, _),) = judge_login(host(user=f"M{chr(code)}ller"))
    assert keyword == "user"


def test_a_refused_connection_keeps_its_words() -> None:
    ((_, why),) = judge_login(host(refuseconnection="moved to web-2"))
    assert why == "it refuses to connect: moved to web-2"
