"""Why a program cannot be executed: found out by the first look, through every shell."""

import os
import shutil
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fleet_tui.core.agents.vitals import FailureKind, ProbeFailure, VitalsReading
from tests.support.needs import not_allowed
from tests.support.wrapped import MakePort, make_port, sh

__all__ = ["make_port", "sh"]

MIPS = 8
"""No machine that tests run on."""


def program(path: Path, text: bytes, mode: int = 0o755) -> Path:
    path.write_bytes(text)
    path.chmod(mode)
    return path


def elf(machine: int) -> bytes:
    """The header of an ELF program for another processor: 64 bits, least byte first."""
    head = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHI", 2, machine, 1)
    return head + bytes(4_096)


def other_loader(text: bytes) -> bytes:
    """A program as it is, but for a libc that this machine does not have."""
    name = next(n for n in (b"/ld-linux-x86-64.so.2", b"/ld-linux-aarch64.so.1") if n in text)
    return text.replace(name, name[:-1] + b"9")


def absent(place: Path) -> Path:
    return place / "prog"


def directory(place: Path) -> Path:
    (place / "prog").mkdir()
    return place / "prog"


def pipe(place: Path) -> Path:
    os.mkfifo(place / "prog")
    return place / "prog"


def without_bit(place: Path) -> Path:
    return program(place / "prog", b"#!/bin/sh\n", 0o644)


def dangling(place: Path) -> Path:
    (place / "prog").symlink_to(place / "no such place")
    return place / "prog"


def script(line: bytes) -> Callable[[Path], Path]:
    return lambda place: program(place / "prog", line + b"\necho ran\n")


def binary(text: bytes) -> Callable[[Path], Path]:
    return lambda place: program(place / "prog", text)


def of_other_libc(place: Path) -> Path:
    found = shutil.which("true")
    assert found is not None
    return program(place / "prog", other_loader(Path(found).read_bytes()))


LACKING = "cannot be executed without {}, which its first line names and is not there"

CANNOT = {
    "absent": (absent, "is not there"),
    "a link to nothing": (dangling, "is not there"),
    "a directory": (directory, "is a directory"),
    "a pipe": (pipe, "is not a regular file"),
    "no execute bit": (without_bit, "may not be executed: its execute bit is not set"),
    "no interpreter": (script(b"#!/opt/no/such -x"), LACKING.format("/opt/no/such")),
    "a blank before it": (script(b"#! /opt/no/such"), LACKING.format("/opt/no/such")),
    "an interpreter that is a directory": (script(b"#!/opt"), LACKING.format("/opt")),
    "env knows none": (script(b"#!/usr/bin/env no-such-python"), LACKING.format("no-such-python")),
    "lines as on Windows": (
        script(b"#!/bin/sh\r"),
        "ends its first line with a carriage return, so no interpreter is found",
    ),
    "env and lines as on Windows": (
        script(b"#!/usr/bin/env sh\r"),
        "ends its first line with a carriage return, so no interpreter is found",
    ),
    "another processor": (binary(elf(MIPS)), "was built for MIPS, its host has "),
    "a processor without a name": (
        binary(elf(9_999)),
        "was built for a processor of kind 9999, its host has ",
    ),
    "another libc": (of_other_libc, "which is not there: it was built for another system"),
    "another system": (binary(b"MZ\x90\0\x03"), "was built for another system"),
}


@pytest.mark.usefixtures("sh")
@pytest.mark.parametrize("how", CANNOT)
async def test_a_look_says_why_a_program_cannot_be_executed(
    make_port: MakePort, tmp_path: Path, how: str
) -> None:
    make, words = CANNOT[how]
    place = tmp_path / "a place"
    place.mkdir()
    path = make(place)
    found = await make_port(str(path)).probe()
    assert isinstance(found, ProbeFailure), found
    assert found.kind is FailureKind.COMMAND_MISSING
    assert found.detail.raw.startswith(f"{path} ")
    assert words in found.detail.raw


CAN = {
    "a script": script(b"#!/bin/sh"),
    "a script by env": script(b"#!/usr/bin/env sh"),
    "a script by env with an option": script(b"#!/usr/bin/env -S sh -e"),
    "a script by env with a variable": script(b"#!/usr/bin/env A=b sh"),
    "text, which a shell runs": script(b"# just text"),
    "nothing, which a shell runs": binary(b""),
    "this machine's own program": binary(Path("/proc/self/exe").resolve().read_bytes()),
}


@pytest.mark.usefixtures("sh")
@pytest.mark.parametrize("how", CAN)
async def test_a_program_that_can_be_executed_is_left_alone(
    make_port: MakePort, tmp_path: Path, how: str
) -> None:
    found = await make_port(str(CAN[how](tmp_path))).probe()
    assert isinstance(found, VitalsReading), found


@pytest.fixture
def no_exec(tmp_path: Path) -> Iterator[Path]:
    """A directory in which nothing may be executed."""
    place = tmp_path / "no exec"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "noexec", "none", str(place)],
        capture_output=True,
        check=False,
    )
    if made.returncode:
        not_allowed(f"no file system can be mounted: {made.stderr.decode(errors='replace')}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.usefixtures("sh")
@pytest.mark.parametrize("by", ["name", "link", "path"])
async def test_a_program_where_nothing_may_be_executed(
    make_port: MakePort, tmp_path: Path, no_exec: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    path = program(no_exec / "prog", b"#!/bin/sh\n")
    name = str(path)
    if by == "link":
        (tmp_path / "link").symlink_to(path)
        name = str(tmp_path / "link")
    elif by == "path":
        name = "prog"
        monkeypatch.setenv("PATH", f"{os.environ['PATH']}:{no_exec}")
    found = await make_port(name).probe()
    assert isinstance(found, ProbeFailure)
    words = f"lies below {no_exec}, where nothing may be executed (mounted with noexec)"
    assert found.detail.raw == f"{name} {words}"
