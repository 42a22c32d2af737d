"""Every command in surroundings nobody planned: it works, or says in words what it lacks."""

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from fleet_tui.base.errors import ExitCode
from tests.support import hostile, hostile_ledger, surroundings
from tests.support.surrounded import ENGINE, ENGINE_FILE, FLEET_FILE, NAME, runs

LIMIT_S = 300


class Ended(NamedTuple):
    """How one command ended."""

    code: int
    out: bytes
    err: bytes


@pytest.fixture(scope="module")
def past() -> Iterator[Path]:
    """The state of a fleet that worked until now, and files its operator has."""
    base = surroundings.short_dir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hostile, "PAYLOADS", (*hostile_ledger.STORABLE, "請求書 für Zoë"))
        now_ms = time.time_ns() // 1_000_000
        asyncio.run(hostile_ledger.write(base / "state" / NAME, now_ms))
    home = base / "home"
    home.mkdir()
    (home / FLEET_FILE).write_text(FLEET, encoding="utf-8")
    (home / ENGINE_FILE).write_text(FLEET.replace(NAME, ENGINE), encoding="utf-8")
    (home / "hosts.ini").write_text("[gws]\ngw-1 note=Zoë\n", encoding="utf-8")
    (home / "hosts.txt").write_text("gw-1\ngw-2\n")
    yield base
    surroundings.remove(base)


FLEET = f"""\
version: 1
fleet: {NAME}
pools: {{p: }}
hosts: {{gw-1: {{address: 127.0.0.1, port: 1}}}}
agents:
  local: {{pool: p, kind: local, command: [cat]}}
  far: {{pool: p, kind: command, host: gw-1, command: [cat]}}
"""

PLAIN = {"PATH": os.defpath, "PYTHONPATH": str(surroundings.CHECKOUT)}
HOME = "{home}"
STATE = {"FLEET_TUI_STATE_DIR": "{state}"}
USUAL = {"HOME": HOME, "LC_ALL": "C.UTF-8", "TERM": "xterm-256color", **STATE}
RAW = {"PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}


class Surroundings(NamedTuple):
    """Surroundings: variables (None: not there), a shell's redirections, options, a file."""

    env: Mapping[str, str | None] = {}
    streams: str = ""
    options: tuple[str, ...] = ()
    ssh_config: str = ""


SURROUNDINGS: dict[str, Surroundings] = {
    "usual": Surroundings(),
    "C": Surroundings({"LC_ALL": "C"}),
    "POSIX, without Python's help": Surroundings({"LC_ALL": "POSIX", **RAW}),
    "no such locale": Surroundings({"LC_ALL": "xx_YY.UTF-8", **RAW}),
    "latin-1": Surroundings({"LC_ALL": "de_DE.ISO-8859-1", "LOCPATH": "{locales}"}),
    "streams of ASCII": Surroundings({"PYTHONIOENCODING": "ascii:strict"}),
    "streams of latin-1": Surroundings({"PYTHONIOENCODING": "latin-1:strict"}),
    "streams of UTF-16": Surroundings({"PYTHONIOENCODING": "utf-16"}),
    "no standard output": Surroundings(streams=">&-"),
    "no standard error": Surroundings(streams="2>&-"),
    "no streams": Surroundings(streams="<&- >&- 2>&-"),
    "no home": Surroundings({"HOME": None}, options=("--nobody",)),
    "nothing at all": Surroundings(dict.fromkeys(USUAL), options=("--nobody",)),
    "an empty home": Surroundings({"HOME": ""}, options=("--nobody",)),
    "nobody, with a home": Surroundings(options=("--nobody",)),
    "nobody, with a home and an ssh_config": Surroundings(
        options=("--nobody",), ssh_config="Host gw-1\n  ServerAliveInterval 9\n"
    ),
    "a relative home": Surroundings({"HOME": "here"}),
    "a home that is no directory": Surroundings({"HOME": "/dev/null"}),
    "only a home that is no directory": Surroundings(
        {"HOME": "/dev/null", "FLEET_TUI_STATE_DIR": None}
    ),
    "no temporary directory": Surroundings(
        {"TMPDIR": "/nonexistent", "XDG_RUNTIME_DIR": "/nonexistent"}
    ),
    "no TERM": Surroundings({"TERM": None}),
    "a dumb terminal": Surroundings({"TERM": "dumb"}),
    "no width": Surroundings({"COLUMNS": "0", "LINES": "0"}),
    "an odd width": Surroundings({"COLUMNS": "wide", "LINES": "-1"}),
    "no such zone": Surroundings({"TZ": "Nowhere/At-All"}),
    "an odd zone": Surroundings({"TZ": "<x>-24:59:59"}),
    "a clock set back": Surroundings(options=("--set-back", "3600")),
    "a clock in 1970": Surroundings(options=("--clock", "1")),
    "a clock in 2100": Surroundings(options=("--clock", "4102444800")),
    "a clock before 1970": Surroundings(options=("--clock", "-3600")),
}


def surround(name: str, past: Path, work: Path) -> dict[str, Ended]:
    """Every command in surroundings of that name."""
    place = SURROUNDINGS[name]
    state = work / "state"
    shutil.copytree(past / "state", state)
    home = work / "home"
    shutil.copytree(past / "home", home)
    if place.ssh_config:
        (home / ".ssh").mkdir()
        (home / ".ssh" / "config").write_text(place.ssh_config)
    (work / "ended").mkdir()
    values = {"home": home, "state": state, "locales": locales(past)}
    env = {
        name: value.format(**values)
        for name, value in {**PLAIN, **USUAL, **place.env}.items()
        if value is not None
    }
    program = [sys.executable, "-P", "-m", "tests.support.surrounded", str(work / "ended")]
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {place.streams}', "sh", *program, *place.options],
        cwd=home,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return {each: ended(work / "ended", each) for each in runs()}


def ended(work: Path, name: str) -> Ended:
    code = int((work / f"{name}.rc").read_text())
    out, err = work / f"{name}.out", work / f"{name}.err"
    read = [file.read_bytes() if file.exists() else b"" for file in (out, err)]
    return Ended(code, *read)


def locales(past: Path) -> Path:
    """A directory with a German locale in Latin-1, or an empty one where none can be made."""
    made = past / "locales"
    if not made.exists():
        made.mkdir()
        maker = shutil.which("localedef")
        if maker is not None:
            names = ["-i", "de_DE", "-f", "ISO-8859-1", str(made / "de_DE.ISO-8859-1")]
            subprocess.run([maker, *names], check=False, capture_output=True)
    return made


NEED_NOTHING = ("check", "schema", "keys", "help")
NEED_STATE = ("agents", "tasks", "tasks --json", "routes", "logs", "logs --json", "dead", "verify")
NEGATIVE_AGE = re.compile(
    rb"(?<![\w-])-\d+(?:\.\d+)?(?:ms|[smhd])(?:\d\d[smh])?\b"
    rb'|"\w*(?<!at)(?<!since)(?<!before)(?<!until)(?<!first)(?<!last)(?<!skew)_ms\w*"'
    rb"\s*:\s*(?:\{[^}]*:\s*)?-\d"
)
"""In words, or as a number of a document; instants may be before 1970."""


@pytest.mark.parametrize(
    ("said", "is_negative"),
    [
        (b"waiting -5s", True),
        (b"since -40m12s", True),
        (b"(-1h02m)", True),
        (b"-1d03h ago", True),
        (b"-1.8s", True),
        (b"-412ms", True),
        (b'"oldest_wait_ms": -5000,', True),
        (b'{"run_ms_p95":-1}', True),
        (b'"wait_ms_p95_by_priority": {"P0": 4, "P1": -2}', True),
        (b'"oldest_wait_ms": 5000, "queue_trend_per_minute": -5.0', False),
        (b'"submitted_at_ms": -3600000, "since_ms": -1, "failing_since_ms": -1', False),
        (b"2026-11-30s t-1h a--5s 40m12s", False),
    ],
)
def test_a_negative_age_is_seen_however_it_is_written(said: bytes, is_negative: bool) -> None:
    assert bool(NEGATIVE_AGE.search(said)) is is_negative


@pytest.mark.timeout(300)  # some thirty commands, one after the other
@pytest.mark.parametrize("name", SURROUNDINGS)
def test_no_command_is_stopped_by_its_surroundings(name: str, past: Path, tmp_path: Path) -> None:
    found = surround(name, past, tmp_path)
    codes = {int(code) for code in ExitCode}
    for words, run in found.items():
        said = run.out + run.err
        about = f"{words}: {run.code}: {said.decode('utf-8', 'backslashreplace')[-1_500:]}"
        # An engine may be ended before it is ready to end in order: its door opens first.
        assert run.code in codes or (words, run.code) == ("engine", -signal.SIGTERM), about
        assert b"a bug" not in said, about
        assert b"Traceback" not in said, about
        assert b"\x00" not in said or "UTF-16" in name, about
        assert NEGATIVE_AGE.search(said) is None, about
    keeps_state = SURROUNDINGS[name].env.get("FLEET_TUI_STATE_DIR", STATE) is not None
    for words in (*NEED_NOTHING, *(NEED_STATE if keeps_state else ())):
        assert found[words].code == ExitCode.OK, f"{words}: {found[words]}"
    if found["tasks"].out and "UTF-16" not in name and keeps_state:
        rows = json.loads(found["tasks --json"].out)["matching"]
        assert found["tasks"].out.count(b"\n") >= min(rows, 50), "no row is missing"
    place = SURROUNDINGS[name]
    homeless = "--nobody" in place.options and not {**USUAL, **place.env}["HOME"]
    assert (b"so no ~/.ssh/config was read" in found["check"].out) is homeless
    assert (b"set HOME, or name a file" in found["import ssh-config"].err) is homeless
