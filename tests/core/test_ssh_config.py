"""The pure part of ssh_config: the text of ``ssh -G``, tokens, words and patterns."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fleet_tui.core.ssh.config import (
    Complaint,
    ConfigLine,
    ConfigText,
    Resolved,
    Surroundings,
    UnknownTokenError,
    WithoutSsh,
    expand_file,
    expand_way,
    matches,
    parse_refusal,
    parse_settings,
    resolved_from,
    split_files,
    split_line,
    split_words,
)

SWITCHES = {"yes": True, "true": True, "no": False, "false": False, "ask": False}

HERE = Surroundings(
    home="/home/ann", user="ann", user_id=1000, hostname="desk.example.net", environment={"K": "v"}
)


def host(**said: str) -> Resolved:
    return Resolved(
        original="Web-1",
        hostname="10.0.0.1",
        port=2222,
        user="ops",
        said={keyword: (value,) for keyword, value in said.items()},
    )


def test_settings_are_a_keyword_and_the_rest_of_the_line() -> None:
    output = b"host x\nhostname x\nport 22\nidentityfile ~/a b\nidentityfile /c\nsetenv A=b  c \n"
    output += b"canonicalizePermittedcnames none\nuser M\xfcller\nnothing\nodd-key 1\n\n"
    assert parse_settings(output) == {
        "host": ("x",),
        "hostname": ("x",),
        "port": ("22",),
        "identityfile": ("~/a b", "/c"),
        "setenv": ("A=b  c ",),
        "canonicalizepermittedcnames": ("none",),
        "user": ("M\udcfcller",),
    }


@given(st.binary())
def test_any_bytes_are_settings_or_none(output: bytes) -> None:
    for values in parse_settings(output).values():
        assert values


def test_what_is_usual_is_not_said() -> None:
    usual = parse_settings(b"hostname localhost\nport 22\nuser me\nciphers a,b\nmacs m\n")
    settings = parse_settings(b"host X\nhostname x\nport 23\nuser al\nciphers a,b\nmacs n\ntag t\n")
    found = resolved_from("X", settings, usual)
    assert (found.original, found.hostname, found.port, found.user) == ("X", "x", 23, "al")
    assert found.said == {"macs": ("n",), "tag": ("t",)}


@pytest.mark.parametrize("output", [b"", b"hostname x\nport y\nuser z\n", b"hostname x\nport 1\n"])
def test_what_is_no_answer_of_ssh_is_refused(output: bytes) -> None:
    with pytest.raises(ValueError, match="ssh -G does not say"):
        resolved_from("x", parse_settings(output), {})


def test_a_refusal_names_every_line() -> None:
    words = (
        b"Pseudo-terminal will not be allocated because stdin is not a terminal.\r\n"
        b"/tmp/copy/1 line 3: Bad port 'twentytwo'.\n"
        b"/tmp/copy/1: line 5: Bad configuration option: foo\n"
        b"Unsupported Match attribute tagged\n"
        b"/tmp/copy/1 line 6: Bad Match condition\n"
        b"/tmp/copy/1: terminating, 3 bad configuration options\n"
    )
    assert parse_refusal(words, {"/tmp/copy/1": "/home/ann/.ssh/config"}).complaints == (
        Complaint("Bad port 'twentytwo'", "/home/ann/.ssh/config", 3),
        Complaint("Bad configuration option: foo", "/home/ann/.ssh/config", 5),
        Complaint("Unsupported Match attribute tagged, Bad Match condition",
                  "/home/ann/.ssh/config", 6),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (b"", "ssh -G failed without a message"),
        (b"Bad owner or permissions on /x\r\n", "Bad owner or permissions on /x"),
        (b"hostname contains invalid characters\n", "hostname contains invalid characters"),
        (b"...and M\xfcller.\n", "...and M\udcfcller"),
        (b"/f line 3: Bad word ...X.\n", "/f line 3: Bad word ...X"),
        (b"one X.\ntwo\n", "one X; two"),
        (b"x" * 9 + b" line 99999999999999: y", "x" * 9 + " line 99999999999999: y"),
    ],
)
def test_a_refusal_without_a_place_keeps_its_words(words: bytes, said: str) -> None:
    assert str(parse_refusal(words)) == said


@pytest.mark.parametrize(
    ("value", "files"),
    [
        ("/a /b", ("/a", "/b")),
        ("~/.ssh/known_hosts ~/.ssh/known_hosts2", ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")),
        ("/home/ann/my hosts/one /etc/two", ("/home/ann/my hosts/one", "/etc/two")),
        ("none", ("none",)),
        ("none ann", ("none", "ann")),
        ("/my  hosts ~bob/x b", ("/my  hosts", "~bob/x b")),
        ("", ()),
    ],
)
def test_file_names_with_spaces_stay_whole(value: str, files: tuple[str, ...]) -> None:
    assert split_files(value) == files


@pytest.mark.parametrize(
    ("text", "file"),
    [
        ("~/.ssh/%n-%r", "/home/ann/.ssh/Web-1-ops"),
        ("%d/%u/%i/%h/%p", "/home/ann/ann/1000/10.0.0.1/2222"),
        ("/k/%k/%L/%l/100%%", "/k/10.0.0.1/desk/desk.example.net/100%"),
        ("/${K}/%%h", "/v/%h"),
        ("/j/%j", "/j/"),
        ("~", "/home/ann"),
        ("~bob/x", "~bob/x"),
        ("/$K/{K}", "/$K/{K}"),
    ],
)
def test_tokens_and_variables_in_file_names(text: str, file: str) -> None:
    assert expand_file(text, host(), HERE) == file


def test_an_alias_is_the_name_of_the_key() -> None:
    assert expand_file("/%k", host(hostkeyalias="gate"), HERE) == "/gate"
    assert host(hostkeyalias="gate").key_alias == "gate"


def test_the_hash_of_the_connection_is_openssh_s() -> None:
    # printf %s%s%s%s desk.example.net 10.0.0.1 2222 ops | sha1sum
    assert expand_file("%C", host(), HERE) == "341e863b77778479871487a5c3341c6e91ec925e"
    # printf 'desk.example.net10.0.0.12222opsb\374hm' | sha1sum
    odd = host(proxyjump="b\udcfchm")
    assert expand_file("%C/%j", odd, HERE) == "c0ab24c680362c961f7f0a40ae1b754a8b039527/b\udcfchm"


@pytest.mark.parametrize("text", ["/%z", "/%", "/${NOT_SET}", "/%f"])
def test_an_unknown_token_is_refused_as_openssh_does(text: str) -> None:
    with pytest.raises(UnknownTokenError, match=re.escape(text[1:])):
        expand_file(text, host(), HERE)


def test_a_value_that_is_put_in_is_not_expanded_again() -> None:
    odd = Surroundings(
        home="/h", user="%h", user_id=1, hostname="x", environment={"A": "%u", "B": "${A}"}
    )
    assert expand_file("/%u/${A}/${B}", host(), odd) == "/%h/%u/${A}"


def test_ways_know_their_own_tokens() -> None:
    assert expand_way("nc %h %p # %n %r %k %%", host()) == "nc 10.0.0.1 2222 # Web-1 ops 10.0.0.1 %"
    with pytest.raises(UnknownTokenError, match="%d"):
        expand_way("nc %d", host())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a b\tc", ("a", "b", "c")),
        ("\"a b\" 'c d' e\\ f", ("a b", "c d", "e f")),
        ('"a\\"b" \\\\ \\n', ('a"b', "\\", "\\n")),
        ("a # b", ("a",)),
        ("a#b", ("a#b",)),
        ("aXb X", ("aXb", "X")),
        ('it\\\'s "a\\ b"', ("it's", "a\\ b")),
        ("a\\", ("a\\",)),
        ("", ()),
        ("it's", None),
        ('"open', None),
    ],
)
def test_words_are_openssh_s(text: str, words: tuple[str, ...] | None) -> None:
    assert split_words(text) == words


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("Host\ta", ("host", "a")),
        ("  HostName = b \r", ("hostname", "b")),
        ("Port=22", ("port", "22")),
        ("Port\t=\t22", ("port", "22")),
        ("Port ==22", ("port", "=22")),
        ('"Port" 22', ("port", "22")),
        ('"Host" "a b"', ("host", '"a b"')),
        ("Host", ("host", "")),
        ("XAuthLocation /X", ("xauthlocation", "/X")),
        ("Host X", ("host", "X")),
        ("Host=X", ("host", "X")),
        ("Host \f=x", ("host", "\f=x")),
        ("Host=\fx", ("host", "\fx")),
        ("Host a\u00a0", ("host", "a\u00a0")),
        ("# Host a", None),
        ("", None),
        (" \t", None),
        ("Include a\0b", ("include", "a")),
        ("\ufeffHost a", ("\ufeffhost", "a")),
    ],
)
def test_a_keyword_ends_at_a_blank_or_an_equals_sign(
    line: str, said: tuple[str, str] | None
) -> None:
    assert split_line(line) == said


@given(st.text())
def test_no_text_breaks_the_splitting(text: str) -> None:
    split_line(text)
    split_words(text)


@given(st.lists(st.text(st.characters(exclude_characters="\0"), min_size=1), max_size=4))
def test_quoted_words_come_back(words: list[str]) -> None:
    def quoted(word: str) -> str:
        escaped = word.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'

    assert split_words(" ".join(map(quoted, words))) == tuple(words)


@pytest.mark.parametrize(
    ("patterns", "name", "hit"),
    [
        (("gw-*", "!gw-9"), "gw-1", True),
        (("gw-*", "!gw-9"), "gw-9", False),
        (("!gw-9",), "gw-1", False),
        (("a?",), "ab", True),
        (("[ab]",), "a", False),
        (("[ab]",), "[ab]", True),
        ((), "a", False),
    ],
)
def test_patterns_are_openssh_s(patterns: tuple[str, ...], name: str, hit: bool) -> None:
    assert matches(patterns, name) is hit


def test_one_machine_has_one_address_and_one_way() -> None:
    assert host().machine() == host(hostkeyalias="x", identityfile="~/a").machine()
    assert host().machine() != host(proxyjump="bastion").machine()
    assert host(proxycommand="nc %h %p").machine() != host(proxycommand="nc -x p %h %p").machine()
    assert host().machine() == ("10.0.0.1", 2222, None)


def test_a_way_that_leads_to_one_address_is_one_whatever_the_host_is_called() -> None:
    way = host(proxycommand="nc %h %n %p %r %k").machine()
    assert way == ("10.0.0.1", 2222, "nc 10.0.0.1 10.0.0.1 2222  %k")
    named = Resolved(original="a", hostname="Web.example", port=22, user=None)
    assert named.machine() == ("web.example", 22, None)
    assert named.machine() == replace(named, hostname="wEB.example", user="ops").machine()


def test_switches_and_lists() -> None:
    assert {word: host(tcpkeepalive=word).is_on("tcpkeepalive") for word in SWITCHES} == SWITCHES
    assert not host().is_on("tcpkeepalive")
    assert host(ciphers="a,,b c").names("ciphers") == ("a", "b c")
    assert host(ciphers="").names("ciphers") == ()
    assert host().names("ciphers") is None
    assert host(sendenv="A").all("sendenv") == ("A",)
    assert host().all("sendenv") == ()


def test_the_aliases_are_the_operator_s_own() -> None:
    own, other = line("host", "a"), line("hostname", "b")
    text = ConfigText(lines=(own, other, replace(own, system=True), replace(other, system=True)))
    assert text.aliases == (own,)
    assert own.text == "host a"


def test_a_line_is_about_a_host_that_all_patterns_above_it_let_through() -> None:
    under = replace(line("user", "x"), hosts=(("gw-*",), ("*", "!gw-9")))
    assert [under.may_be_about(name) for name in ("gw-1", "gw-9", "db")] == [True, False, False]


def line(keyword: str, *words: str) -> ConfigLine:
    return ConfigLine(file="f", line=1, keyword=keyword, words=words)


@pytest.mark.parametrize(
    ("lines", "apart"),
    [
        ((), False),
        ((line("host", "*"), line("user", "me"), line("match", "all")), False),
        ((line("host", "a"),), True),
        ((line("host", "*", "!a"),), True),
        ((line("match", "user", "x"),), True),
        ((line("hostname", "%h.example.net"),), True),
        ((line("proxyjump", "bastion"),), True),
        ((line("localcommand"),), True),
        ((line("canonicalizehostname", "no"),), True),
    ],
)
def test_whether_hosts_are_told_apart(lines: tuple[ConfigLine, ...], apart: bool) -> None:
    assert ConfigText(lines=lines).tells_hosts_apart is apart


def test_what_could_not_be_read_may_tell_hosts_apart() -> None:
    assert ConfigText(unread=(Complaint("larger than 4 MiB"),)).tells_hosts_apart


@pytest.mark.parametrize(
    ("written", "changes"),
    [
        (line("match", "exec", "vpn-is-up"), True),
        (line("match", "!exec", "vpn-is-up"), True),
        (line("match", "EXEC", "vpn-is-up"), True),
        (line("match", "host=a", "localnetwork=10.0.0.0/8"), True),
        (line("canonicalizehostname", "yes"), True),
        (line("match", "host", "a"), False),
    ],
)
def test_what_may_change_without_a_file(written: ConfigLine, changes: bool) -> None:
    assert ConfigText(lines=(written,)).changes_by_itself is changes


def test_why_ssh_is_not_asked_has_words_and_a_cure() -> None:
    assert {why: (why.text, why.cure) for why in WithoutSsh} == {
        WithoutSsh.NO_PROGRAM: ("there is no ssh program here", "install OpenSSH's client"),
        WithoutSsh.NO_ACCOUNT: (
            "ssh serves no user without an entry in the password file",
            "give this user an entry there",
        ),
    }
