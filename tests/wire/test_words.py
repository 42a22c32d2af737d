"""What is kept of the words of remotes: no secret of theirs or ours, and not more than is read."""

import asyncio
import json
from collections.abc import Callable

import asyncssh
import msgspec
import pytest
from asyncssh.packet import String, UInt32
from websockets.datastructures import Headers
from websockets.http11 import Response

from fleet_tui.base import redact
from fleet_tui.core.agents.events import AgentIdentified
from fleet_tui.core.agents.health import Watch, judge
from fleet_tui.core.agents.model import AgentState
from fleet_tui.core.agents.vitals import ProbeFailure, VitalsReading
from fleet_tui.core.fleet import ProbeSpec
from fleet_tui.core.tasks.evidence import Definite, Started, Unknown
from fleet_tui.core.text.untrusted import NOTHING_SAID, Untrusted
from fleet_tui.wire import words
from fleet_tui.wire.openclaw.agents_list import missing
from fleet_tui.wire.openclaw.connection import GatewayRefused
from fleet_tui.wire.openclaw.dialect import _unsupported
from fleet_tui.wire.openclaw.frames import MAX_NAME_CHARS, ErrorShape, GatewayHello
from fleet_tui.wire.openclaw.handshake import refusal, upgrade_refusal
from fleet_tui.wire.openclaw.host_vitals import LANES, SYSTEM
from fleet_tui.wire.openclaw.readiness import parse_readyz
from fleet_tui.wire.openclaw.run_evidence import unanswered
from fleet_tui.wire.openclaw.stream import _refused
from fleet_tui.wire.programs.answers import read_reply
from fleet_tui.wire.shell import Completed
from fleet_tui.wire.ssh.failures import connect_failure
from fleet_tui.wire.ssh.hello import HelloListener, our_offers, parse_hello, why_not
from fleet_tui.wire.ssh.proxy_command import start_proxy
from fleet_tui.wire.words import beginning, end_of, words_of
from tests.support.fake_gateway import AGENT, ORDER, FakeGateway, Session, at_work

SHAPED = "sk-ant-api03-AbCdEfGhIjKlMnOpQrStUvWxYz0123456789abcd"
KNOWN = "orchid plum walnut 77"
"""A token of ours. Nothing but that we know it tells what it is."""


@pytest.fixture(autouse=True)
def knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redact, "_known", [])
    redact.know(KNOWN)


def detail(failure: object) -> str:
    told = getattr(failure, "detail", None)
    assert isinstance(told, Untrusted), failure
    return told.raw


def of_ssh(data: bytes) -> str:
    return detail(why_not(parse_hello(data), our_offers(asyncssh.SSHClientConnectionOptions())))


def goodbye(text: str) -> bytes:
    payload = b"\x01" + UInt32(2) + String(text) + String("")
    packet = bytes([4]) + payload + b"\0" * 4
    return b"SSH-2.0-x\r\n" + UInt32(len(packet)) + packet


def agents(name: str) -> bytes:
    return json.dumps({"agents": [{"id": name}]}).encode()


def banner(text: str) -> str:
    listener = HelloListener()
    listener.auth_banner_received(text, "")
    return listener.banner


def of_upgrade(text: str) -> str:
    return detail(upgrade_refusal(_refused(Response(403, "no", Headers(), text.encode()))))


SAY: dict[str, Callable[[str], str]] = {
    "a refusal of a gateway": lambda text: detail(refusal(ErrorShape(code="X", message=text))),
    "a refusal to upgrade": of_upgrade,
    "an answer to GET /readyz": lambda text: detail(parse_readyz(200, text.encode())),
    "a refused request": lambda text: detail(
        unanswered(GatewayRefused(ErrorShape(code="X", message=text), payload=msgspec.Raw(b"{}")))
    ),
    "an objection": lambda text: detail(
        _unsupported(GatewayHello(), f"answered agent with: {text}")
    ),
    "agents of a gateway": lambda text: detail(missing(agents(text), "main")),
    "a line before the version of SSH": lambda text: of_ssh(f"{text}\r\n".encode()),
    "the version of SSH": lambda text: of_ssh(f"SSH-1.5-{text}\r\n".encode()),
    "a goodbye of SSH": lambda text: of_ssh(goodbye(text)),
    "a banner of SSH": banner,
    "an error of SSH": lambda text: detail(
        connect_failure(asyncssh.ConnectionLost(text), timeout_ms=1)
    ),
    "what a host printed instead": lambda text: detail(
        read_reply(Definite(Completed(exit_status=1, stderr=text.encode())))
    ),
    "a line of an answer": lambda text: detail(
        read_reply(
            Definite(Completed(exit_status=0, stdout=f"fleet-protocol: 1\n{text}\n".encode()))
        )
    ),
}
"""Who says something, and what is kept of it."""


@pytest.mark.parametrize("who", SAY)
@pytest.mark.parametrize("secret", [SHAPED, KNOWN])
def test_no_secret_is_kept_wherever_it_stands(who: str, secret: str) -> None:
    whole = f"before {secret} after"
    assert secret not in SAY[who](whole)
    assert "before" in SAY[who](whole)
    for length in (*range(0, 320, 17), *range(1_900, 2_000, 31)):
        kept = SAY[who]("x" * length + f" {secret} after")
        assert secret[:12] not in kept, length


@pytest.mark.parametrize("who", SAY)
def test_what_is_kept_is_bounded(who: str) -> None:
    assert len(SAY[who]("word " * 200_000)) <= words.MAX_WORDS_CHARS


async def test_a_proxys_last_words_are_kept_without_secrets() -> None:
    for pad in (0, 250, 280, 4_060, 4_085):
        said = f"{SHAPED} {'x' * pad}; {KNOWN}"
        proxy = await start_proxy(f"sh -c 'echo begins {said} >&2; exit 3'")
        try:
            await asyncio.wait_for(proxy._process.wait(), 20)
            kept = await proxy.failure()
        finally:
            await proxy.end()
        assert kept is not None
        assert "exit status 3" in kept.raw
        assert "AbCdEf" not in kept.raw
        assert "89abcd" not in kept.raw
        assert KNOWN not in kept.raw


@pytest.mark.parametrize("secret", [SHAPED, KNOWN])
async def test_what_a_gateway_says_when_it_closes_is_kept_without_secrets(secret: str) -> None:
    gateway = FakeGateway()
    Session(gateway).final = None
    async with at_work(gateway) as subject:
        await subject.start(ORDER)
        following = asyncio.create_task(subject.follow(ORDER))
        lost = asyncio.create_task(subject.lost())
        for living in list(gateway.connections):
            await living.close(1011, f"bye {secret}")
        outcome, failure = await following, await lost
    assert isinstance(outcome, Unknown)
    assert isinstance(failure, ProbeFailure)
    for told in (outcome.detail.raw, failure.detail.raw):
        assert told.startswith("connection closed: bye ")
        assert secret not in told


async def test_a_gateways_names_for_itself_are_bounded() -> None:
    gateway = FakeGateway()
    gateway.hello["server"] = {
        "version": "2026.9.6 " + "v" * 1_000_000,
        "bootId": "\x1b]0;x\x07" + "B" * 1_000_000,
    }
    gateway.handlers |= {SYSTEM: lambda _: {}, LANES: lambda _: {}}
    Session(gateway)
    async with at_work(gateway) as subject:
        look = await subject.probe()
        started = await subject.start(ORDER)
    assert isinstance(look, VitalsReading)
    assert isinstance(started, Definite)
    assert isinstance(started.value, Started)
    _, events, *_ = judge(Watch(), AgentState(name=AGENT), look, ProbeSpec(), 1)
    [known] = [event for event in events if isinstance(event, AgentIdentified)]
    for boot_id in (look.boot_id, started.value.boot_id, known.boot_id):
        assert boot_id is not None
        assert boot_id.startswith("0xBBB")
        assert len(boot_id) <= MAX_NAME_CHARS
    assert look.version is not None
    assert look.version.startswith("2026.9.6vvv")
    assert len(look.version) <= MAX_NAME_CHARS


def test_nothing_said_is_nothing() -> None:
    assert words_of("") is NOTHING_SAID


def test_the_end_of_what_was_printed_begins_with_a_whole_word() -> None:
    assert end_of(b"half word\nline", 14) == "line"
    assert end_of(b"half word", 9) == "word"
    assert end_of(b"whole word", 99) == "whole word"


def test_bytes_that_are_no_text_are_shown_as_such() -> None:
    assert words.excerpt(b"\xff\x00", 20) == "\\xff\x00"
    assert beginning("abc", 2) == "ab"


def test_a_secret_that_is_cut_where_the_look_ends_leaves_no_half() -> None:
    token = "zq7-mauve-otter-lantern"
    redact.know(token)
    for behind in range(20, 140):
        text = f"password={'A1' * 3950} {'y' * behind} {token} rest"
        assert "zq7" not in words_of(text).raw
        assert "zq7" not in words.excerpt(text.encode(), words.MAX_WORDS_CHARS)
