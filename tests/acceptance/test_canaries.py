"""Every shape of a secret, by every way in, is looked for in every place where text comes out.

One fleet has them all: each shape carries a canary of its own, so that a leak names its shape.
A new shape is a line in ``tests/support/secret_shapes.py``, a new way in or out one line here.
"""

import gzip
import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from fleet_tui.base import crash
from fleet_tui.base.paths import socket_path
from fleet_tui.cli.main import commands as all_commands
from fleet_tui.console.terminal.attention import notification
from fleet_tui.console.terminal.seatbelt import notification_sequence, title_sequence
from fleet_tui.core.agents.commands import Cordon, Uncordon
from fleet_tui.core.alerting.model import Alert, Severity
from fleet_tui.core.engine.commands import Freeze
from fleet_tui.core.engine.events import FleetLoaded
from fleet_tui.core.ids import AgentName, AlertId, PoolName, TaskId
from fleet_tui.core.ledger.commands import Command
from fleet_tui.core.ledger.events import Event, SegmentOpened
from fleet_tui.core.ledger.replies import Accepted
from fleet_tui.core.ledger.state import EMPTY_STATE
from fleet_tui.core.logs import LogQuery
from fleet_tui.core.notes.commands import AddNote
from fleet_tui.core.tasks.commands import Cancel, Hold, Release, Submit
from fleet_tui.core.tasks.events import TaskSubmitted
from fleet_tui.core.tasks.model import TaskPhase, TaskSpec
from fleet_tui.core.text.names import flaw_of
from fleet_tui.core.text.redaction import without_patterns
from fleet_tui.core.text.ulid import new_ulid
from fleet_tui.core.text.untrusted import NOTHING_SAID, Untrusted
from fleet_tui.feed.client import EngineClient
from fleet_tui.journal.telemetry.logs import LogReader
from tests.acceptance.rig import MakeRig, Rig
from tests.support.pty_harness import PtyProgram, python
from tests.support.secret_shapes import CANARY, HEX, SHAPES

WITHOUT_END = "SSH key"
"""Hides what follows it, so it comes last."""

NAMES = sorted(SHAPES, key=lambda name: name == WITHOUT_END)


def marked(name: str) -> str:
    """A shape with a canary that is in no other."""
    number = NAMES.index(name)
    own = f"C4n4ry{number:03d}{CANARY[9:]}"
    return SHAPES[name].replace(CANARY, own).replace(HEX, f"c0ffee{number:03d}{HEX[9:]}")


ALL = "begin\n" + "\n\n".join(map(marked, NAMES)) + "\n"
MARK = re.compile(r"(?:C4n4ry|c0ffee)(\d{3})")


def leaks(text: str | bytes) -> list[str]:
    """The shapes whose canary stands in a text."""
    found = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return sorted({NAMES[int(number)] for number in MARK.findall(found)})


FLEET = """
pools: {fine: , broken: }
defaults: {kind: local, run_dir: %s, probe: {every: 200ms, timeout: 5s}}
agents:
  honest: {command: [cat], slots: 2, pool: fine, log_file: %s}
  broken: {command: [sh, -c, "cat >&2; exit 3"], slots: 2, pool: broken}
"""

WAYS_IN = {"payload": "fine", "failure": "broken"}
"""What is submitted comes back as an answer in one pool, as why it failed in the other."""

DRY = "--dry-run"
COMMANDS: tuple[list[str], ...] = (
    *(["status"], ["agents"], ["tasks"], ["routes"], ["logs"], ["dead"], ["diff", "1h"]),
    *(["why", "t-1"], ["why", "t-2"], ["why", "t-3"], ["doctor"], ["check"], ["verify"]),
    *(["cancel", "t-4", DRY], ["hold", "t-1", DRY], ["release", "t-4", DRY]),
    *(["expedite", "t-4", DRY], ["priority", "P0", "t-4", DRY], ["requeue", "t-2", DRY]),
    *(["requeue", "--all", DRY], ["drop", "t-2", DRY, "--reason", ALL], ["thaw", DRY]),
    *(["cordon", "honest", DRY, "--reason", ALL], ["uncordon", "broken", DRY], ["undo", DRY]),
    *(["probe", "broken", DRY], ["ack", "frozen:engine", DRY], ["freeze", DRY, "--reason", ALL]),
    ["note", ALL, DRY],
    # Refused: nobody is asked about that task, and nobody confirms the secrets of these texts.
    *(["resolve", "t-1", "ran", ALL], ["submit", ALL], ["edit", "t-2", "--text", ALL]),
)
"""Each is tried as it is and with --json."""

NOT_TRIED = {
    "demo": "plays a fleet of its own",
    "open": "its screen is a way out",
    "review": "the same screen, over a recording, which is a way out",
    "export": "makes that recording",
    "engine": "runs meanwhile; what it writes and prints is among the files",
    "stop": "ends the fleet that the others look at; it says no more than that",
    "backup": "copies the ledger's files and says how many events are in them",
    "restore": "the same, back",
    "trust": "shows keys of hosts",
    "import": "reads other people's files, and no fleet",
    "init": "knows no fleet",
    "schema": "knows no fleet",
    "keys": "knows no fleet",
}
"""Commands whose words are looked at elsewhere or tell nothing of tasks, agents and logs."""


def test_every_command_is_tried_or_says_why_it_is_not() -> None:
    tried = {words[0] for words in COMMANDS}
    assert not tried & set(NOT_TRIED)
    assert tried | set(NOT_TRIED) == set(all_commands())


def _said(rig: Rig, words: list[str]) -> bytes:
    file = [str(rig.file)] if words[0] in ("check", "verify") else ["-f", str(rig.file)]
    done = rig.cli(words[0], *file, *words[1:])
    for complaint in (b"No such option", b"Usage: ", b"Traceback"):
        assert complaint not in done.stderr, (words, done.stderr)
    return done.stdout + done.stderr


def printed(rig: Rig) -> dict[str, bytes]:
    """What every command prints."""
    tried = [*COMMANDS, *([*words, "--json"] for words in COMMANDS)]
    return {
        " ".join("..." if word is ALL else word for word in words): _said(rig, words)
        for words in tried
    }


def screens(rig: Rig) -> dict[str, bytes]:
    """What the terminal is sent, titles and notifications too, and a saved screen."""
    with PtyProgram(python("-m", "fleet_tui", "open", str(rig.file)), env=rig.env) as console:
        console.wait_for("honest", within_s=60)
        for line, shows in (  # what no other screen shows, and no line that is typed
            (":task t-1\r", "> t-1"),
            (":task t-3\r", "> t-3"),
            (":why t-2\r", "> why t-2"),
            (":agent broken\r", "> broken"),
            (":alerts\r", "starts no new work"),
        ):
            console.press(line)
            console.wait_for(shows, within_s=60)
        console.press("\x13")
        console.wait_for("saved ")
        console.press("\x11")
        console.wait_for_end()
        return {"the terminal": bytes(console.painted)}


def recording(rig: Rig) -> dict[str, bytes]:
    """What travels, and what it says when it is looked at."""
    path = rig.base / "x.fleetrec"
    assert rig.cli("export", "-f", str(rig.file), "-o", str(path)).returncode == 0
    return {"the recording": gzip.decompress(path.read_bytes())}


def log_store(rig: Rig) -> dict[str, bytes]:
    """The lines, and what the index of their words finds."""
    with closing(LogReader(rig.directory)) as logs:
        lines = msgspec.json.encode(logs.after(0, 10_000))
        found = msgspec.json.encode(logs.query(LogQuery(words="C4n4ry*")))
    assert b"begin" in lines
    return {"log lines": lines, "words of logs": found}


def files(rig: Rig) -> dict[str, bytes]:
    """Whatever the program wrote, but the ledger's events, which are read one by one, and what its
    engine printed."""
    found = {
        str(path.relative_to(rig.directory.parent)): path.read_bytes()
        for path in rig.directory.parent.rglob("*")
        if path.is_file() and not path.name.startswith("events-")
    }
    return found | {"the engine's output": rig.output.read_bytes()}


def without_what_must_be_kept(event: Event) -> Event:
    """An event without the text that has to be stored to be run."""
    match event:
        case TaskSubmitted(spec=spec):
            return replace(event, spec=replace(spec, payload=NOTHING_SAID, labels={}))
        case SegmentOpened() | FleetLoaded():
            return FleetLoaded(spec=EMPTY_STATE.fleet)
        case _:
            return event


def ledger(rig: Rig) -> dict[str, bytes]:
    """Every event but for what people submitted."""
    return {
        f"event {row.seq} {type(row.event).__name__}": msgspec.json.encode(
            without_what_must_be_kept(row.event)
        )
        for row in rig.events()
    }


WAYS_OUT: tuple[Callable[[Rig], dict[str, bytes]], ...] = (
    printed,
    screens,
    recording,
    log_store,
    files,
    ledger,
)


async def speak(rig: Rig) -> None:
    """An operator puts every shape where words for other people go, and into labels."""
    client = await EngineClient.connect(socket_path(rig.directory), "ana")
    broken = (AgentName("broken"),)
    on_lines = {f"l{NAMES.index(name)}": " ".join(marked(name).split()) for name in NAMES}
    labels = {name: value for name, value in on_lines.items() if flaw_of(value) is None}
    named = {"api_token": marked("npm"), "db_password": marked("AWS variable")[22:]}
    for name in ("salt", "bare key", "bare auth"):
        said, value = marked(name).split()[0].split("=")
        named[said] = value
    keyed = {marked(name).split()[0]: "x" for name in ("GitHub", "GitLab", "npm token", "Slack")}
    task = TaskId(new_ulid(1_795_000_000_000, bytes(10)))
    spec = TaskSpec(
        payload=Untrusted("say it"), pool=PoolName("fine"), labels=labels | named | keyed
    )
    commands: list[Command] = [Freeze(reason=ALL), Submit(task=task, key="labelled", spec=spec)]
    commands += [Hold(tasks=(task,), reason=ALL), Release(tasks=(task,))]
    for name in NAMES:
        commands += [Cordon(agents=broken, reason=marked(name)), Uncordon(agents=broken)]
        commands += [AddNote(text=Untrusted(marked(name)))]
    commands += [Cordon(agents=broken, reason=ALL), Cancel(tasks=(task,), reason=ALL)]
    waiting = TaskId(new_ulid(1_795_000_000_001, bytes(10)))
    work = TaskSpec(payload=Untrusted(ALL), pool=PoolName("broken"))
    commands += [Submit(task=waiting, key="waits", spec=work), Hold(tasks=(waiting,), reason=ALL)]
    try:
        for command in commands:
            reply = await client.send(command)
            assert isinstance(reply, Accepted), (command, reply)
    finally:
        await client.close()


@pytest.mark.timeout(300)  # two hundred shapes by every way in, on a busy machine
async def test_no_canary_comes_out_anywhere(make_rig: MakeRig, short_dir: Path) -> None:
    log = short_dir / "log"
    log.touch()
    rig = make_rig(FLEET % (short_dir / "runs", log), TERM="xterm-256color")
    rig.start()
    for pool in WAYS_IN.values():
        rig.submit(ALL, "--pool", pool, "--yes")
    over = [TaskPhase.SUCCEEDED, TaskPhase.FAILED]
    await rig.until(lambda: [t.phase for t in rig.tasks()] == over, 60, "both tasks end")
    with log.open("a") as file:
        file.write(f"{ALL}\n")

    def lines_are_there() -> bool:
        with closing(LogReader(rig.directory)) as logs:
            return bool(logs.query(LogQuery(words="begin")))

    await rig.until(lines_are_there, 60, "the log is followed")
    await speak(rig)
    assert leaks(rig.tasks()[0].spec.payload.raw) == sorted(NAMES), "it is delivered as it is"
    found = {
        where: leaked
        for way_out in WAYS_OUT
        for where, text in way_out(rig).items()
        if (leaked := leaks(text))
    }
    assert found == {}


@pytest.mark.parametrize("shape", NAMES)
def test_no_canary_is_in_a_crash_file_or_log_line(shape: str, tmp_path: Path) -> None:
    try:
        raise RuntimeError(marked(shape))
    except RuntimeError as error:
        seen = crash.report(error, directory=tmp_path) + crash.in_words(error)
    (file,) = tmp_path.iterdir()
    assert leaks(seen + file.read_text()) == []


@pytest.fixture(autouse=True)
def _nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crash, "_kept", [])


@pytest.mark.parametrize("shape", NAMES)
def test_no_canary_is_in_a_notification_or_title(shape: str) -> None:
    text = marked(shape)
    alert = Alert(
        id=AlertId("frozen:engine"),
        severity=Severity.CRIT,
        subject="engine",
        text=f"frozen: {text}",
        raised_at_ms=1,
    )
    sent = notification_sequence(notification([alert], EMPTY_STATE)) + title_sequence(text)
    assert leaks(sent) == []
    assert leaks(without_patterns(text)[0]) == []
