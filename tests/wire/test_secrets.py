"""Secret references: found, refused in words, never shown."""

import asyncio
import os
from pathlib import Path

import pytest

from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.core.text.untrusted import Untrusted
from fleet_tui.wire.secrets import Secret, SecretProblem, resolve_secret
from fleet_tui.wire.ssh.pool import SshConnection, SshFailure


async def said(reference: str) -> str:
    found = await resolve_secret(reference, env={"EMPTY": "", "LINES": "a\nb"})
    assert isinstance(found, SecretProblem), found
    assert found.kind is FailureKind.SECRET_MISSING
    return found.detail.raw


async def value(reference: str) -> str:
    found = await resolve_secret(reference, env={"TOKEN": "s3cret"})
    assert isinstance(found, Secret), found
    assert "s3cret" not in repr(found)
    return found.reveal()


async def test_variables_and_files(tmp_path: Path) -> None:
    assert await value("secret:env:TOKEN") == "s3cret"
    file = tmp_path / "token"
    file.write_text("s3cret\n")
    file.chmod(0o600)
    assert await value(f"secret:file:{file}") == "s3cret"
    file.chmod(0o640)
    assert "chmod 600" in await said(f"secret:file:{file}")
    assert "No such file" in await said(f"secret:file:{tmp_path}/absent")


@pytest.mark.parametrize("name", ["ABSENT", "EMPTY", "LINES"])
async def test_variables_that_hold_no_secret(name: str) -> None:
    assert name in await said(f"secret:env:{name}")


async def test_a_secret_written_in_place_of_a_reference_is_not_repeated() -> None:
    assert "hunter2" not in await said("hunter2")
    assert "hunter2" not in await said("secret:nonsense:hunter2")


async def test_no_reference_runs_a_command() -> None:
    assert "secret:cmd: is not a kind" in await said("secret:cmd:echo s3cret")


async def test_the_host_that_has_it_cannot_be_reached() -> None:
    failure = SshFailure(kind=FailureKind.SSH_AUTH, detail=Untrusted("no"))

    async def connect() -> SshConnection | SshFailure:
        return failure

    found = await resolve_secret("secret:host:~/token", connect=connect)
    assert found == SecretProblem(kind=FailureKind.SSH_AUTH, detail=Untrusted("no"))


OPENCLAW = """{
  // written by hand
  "gateway": {"port": 18789, "auth": {"mode": "token", "token": "s3cret//x",},},
  "env": {"a": "${TOKEN}", "b": ["s3cret"], "c": ""}, /* the end */
}
"""


async def test_a_place_in_a_json_file(tmp_path: Path) -> None:
    file = tmp_path / "openclaw.json"
    file.write_text(OPENCLAW)
    file.chmod(0o600)
    found = await resolve_secret(f"secret:file:{file}#gateway.auth.token")
    assert isinstance(found, Secret)
    assert found.reveal() == "s3cret//x"


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        ("gateway.auth.tokne", "has no gateway.auth.tokne"),
        ("gateway.port", "something else than text"),
        ("gateway.port.more", "has no gateway.port.more"),
        ("env.a", "names a variable"),
        ("env.b", "something else than text"),
        ("env.c", "is empty"),
    ],
)
async def test_a_place_that_holds_no_secret_is_named_and_nothing_of_the_file(
    tmp_path: Path, steps: str, why: str
) -> None:
    file = tmp_path / "openclaw.json"
    file.write_text(OPENCLAW)
    file.chmod(0o600)
    text = await said(f"secret:file:{file}#{steps}")
    assert why in text
    assert "s3cret" not in text


@pytest.mark.parametrize("content", [b"s3cret", b"{", b"\xff", b"[" * 100_000, b"1" * 2_000_000])
async def test_a_file_that_is_no_json_says_so_and_no_more(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "openclaw.json"
    file.write_bytes(content)
    file.chmod(0o600)
    text = await said(f"secret:file:{file}#a.b")
    assert "is not JSON" in text or "is larger than" in text
    assert "s3cret" not in text


async def test_a_hash_in_another_files_name_is_a_part_of_it(tmp_path: Path) -> None:
    file = tmp_path / "token#1"
    file.write_text("s3cret")
    file.chmod(0o600)
    assert await value(f"secret:file:{file}") == "s3cret"


async def test_what_is_no_regular_file_is_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    for place in (pipe, tmp_path, Path("/dev/zero")):
        text = await asyncio.wait_for(said(f"secret:file:{place}"), 10)
        assert text == f"{place}: not a regular file"
    assert "not a usable file name" in await said("secret:file:nul\0")
