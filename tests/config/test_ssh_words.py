"""ssh's options as inventories write them: what a fleet file can say, and what it cannot."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_tui.config.importers.found import Hop
from fleet_tui.config.importers.ssh_words import SshWords
from fleet_tui.core.ssh.ways import MAX_JUMPS


def read(*texts: str) -> SshWords:
    words = SshWords()
    for text in texts:
        words.read("args", text)
    return words


GW = Hop(address="gw")
WAYS = {
    "-J gw": (GW,),
    "-Jgw": (GW,),
    "-o ProxyJump=gw": (GW,),
    "-oProxyJump=gw": (GW,),
    '-o "ProxyJump gw"': (GW,),
    "-o 'proxyjump = gw'": (GW,),
    "-q -4 -C -J gw -o StrictHostKeyChecking=no": (GW,),
    "-vJ gw": (GW,),
    "-J me@gw:2222,ssh://you@in:22,[::1]:24": (
        Hop(address="gw", user="me", port="2222"),
        Hop(address="in", user="you", port="22"),
        Hop(address="::1", port="24"),
    ),
    "-J 'CORP\\me@gw,me@corp.example@[gw.example]:24'": (
        Hop(address="gw", user="CORP\\me"),
        Hop(address="gw.example", user="me@corp.example", port="24"),
    ),
    "-o ProxyCommand='ssh -W %h:%p gw'": (GW,),
    "-o ProxyCommand=\"ssh -W '[%h]:%p' gw\"": (GW,),
    "-o ProxyCommand='/usr/bin/ssh -q -W %h:%p -p 2222 -i ~/.ssh/gw -l me gw'": (
        Hop(address="gw", user="me", port="2222", identity="~/.ssh/gw"),
    ),
    "-o ProxyCommand='ssh -o StrictHostKeyChecking=no -o User=me -J out gw -W %h:%p'": (
        Hop(address="out"),
        Hop(address="gw", user="me"),
    ),
    "-J none": (),
    "-o ProxyCommand=none -J gw": (),
    "-J gw -o ProxyCommand='nc %h %p'": (GW,),
    "-o ControlMaster=auto -o ControlPersist=60s": None,
}


@pytest.mark.parametrize("text", WAYS)
def test_ways_through_other_hosts(text: str) -> None:
    words = read(text)
    assert words.via == WAYS[text]
    assert words.missed == []


@pytest.mark.parametrize(
    "command",
    [
        "nc -x proxy:1080 %h %p",
        "ssh gw nc %h %p",
        "ssh -W %h:22 gw",
        "ssh -W %h:%p gw; touch /tmp/x",
        "ssh -W %h:%p $(id)",
        "ssh -W %h:%p gw extra",
        "ssh -F other -W %h:%p gw",
        "ssh -W %h:%p %r@gw",
        "ssh -W %h:%p gw:2222",
        "./ssh -W %h:%p gw",
        "cloudflared access ssh --hostname %h",
        "ssh -W %h:%p",
        "'open",
    ],
)
def test_a_program_for_this_machine_is_never_carried_over(command: str) -> None:
    words = SshWords()
    words.read("args", f'-o ProxyCommand="{command}"')
    assert words.via is None
    assert len(words.missed) == 1
    assert words.missed[0].what == "args"


@pytest.mark.parametrize("said", ["User=CORP\\ann", "User=CORP\\\\ann", 'User="CORP\\\\ann"'])
def test_backslashes_are_read_as_ssh_reads_them(said: str) -> None:
    assert read(f"-o '{said}'").user == "CORP\\ann"


def test_the_first_value_counts() -> None:
    words = read("-o User=a -p 1", "-l b -o Port=2 -J x", "-J y -i k -i l")
    assert (words.user, words.port, words.identity, words.via) == (
        "a",
        "1",
        "k",
        (Hop(address="x"),),
    )
    assert [missed.why for missed in words.missed] == [
        'key file "l": a host has one in a fleet file'
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("-F other", '-"F"'),
        ("-o CertificateFile=/c", "CertificateFile"),
        ("-o Ciphers", "has no value"),
        ("-l 'a b'", "expected a login name"),
        ("-p 0", "expected 1 to"),
        ("-i %d/key", "% and $"),
        ("'open", "a quote in it is not closed"),
        ("stray", '"stray" in it'),
        ("-Z", '-"Z"'),
        ("-J a,,b", "is not [user@]host[:port]"),
        ("-J " + ",".join(f"h{n}" for n in range(MAX_JUMPS + 1)), "at most 8"),
    ],
)
def test_what_cannot_be_said_has_a_reason(text: str, says: str) -> None:
    (missed,) = read(text).missed
    assert says in missed.why


@given(
    st.lists(st.text(alphabet=st.sampled_from("-oJpliWF= ,:@%hg'\"\\[]{}$;\n\0é1"), max_size=40))
)
def test_any_text_is_read(texts: list[str]) -> None:
    words = read(*texts)
    assert all(missed.why for missed in words.missed)
