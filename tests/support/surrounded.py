"""Every command of the program, one after the other, in whatever surroundings this process has.

``python -m tests.support.surrounded WORK [--nobody] [--clock SECONDS | --set-back SECONDS]`` runs
each as a child of its own and keeps what it printed and its exit code in WORK. ``--nobody`` is a
user whom no password file knows; the clock is shifted, or stands at another second of the epoch.
"""

import gc
import os
import pwd
import signal
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from fleet_tui.__main__ import main
from fleet_tui.base.errors import FleetError
from fleet_tui.base.paths import fleet_dir, socket_path
from fleet_tui.cli.main import commands
from fleet_tui.core.text.secret_shapes import SHAPES

NAME = "surrounded"
FLEET_FILE = "fleet.yaml"
ENGINE = "other"
ENGINE_FILE = "other.yaml"
"""An engine changes its fleet's ledger, so it has one of its own."""

TASK = "t-1"

INVOCATIONS: dict[str, tuple[str, ...]] = {
    "demo": (),
    "open": (FLEET_FILE,),
    "review": (),
    "engine": (ENGINE_FILE,),
    "status": ("-f", NAME),
    "agents": ("-f", NAME),
    "tasks": ("-f", NAME),
    "routes": ("-f", NAME),
    "why": (TASK, "-f", NAME),
    "logs": ("-f", NAME),
    "diff": ("1h", "-f", NAME),
    "submit": ("請求書 for Zoë", "-f", FLEET_FILE),
    "cancel": (TASK, "-f", NAME),
    "hold": ("--all", "--dry-run", "-f", NAME),
    "release": ("--all", "--dry-run", "-f", NAME),
    "expedite": ("--all", "--dry-run", "-f", NAME),
    "priority": ("P1", "--all", "--dry-run", "-f", NAME),
    "dead": ("-f", NAME),
    "undo": ("-f", NAME),
    "note": ("Zoë", "-f", NAME),
    "requeue": ("--all", "--dry-run", "-f", NAME),
    "edit": (TASK, "--text", "Zoë", "--yes", "-f", NAME),
    "drop": ("--all", "--dry-run", "--reason", "Zoë", "-f", NAME),
    "cordon": ("a-01", "-f", NAME),
    "uncordon": ("a-01", "-f", NAME),
    "probe": ("a-01", "-f", NAME),
    "ack": ("no-such-alert", "-f", NAME),
    "freeze": (NAME,),
    "thaw": (NAME,),
    "resolve": (TASK, "did-not-run", "Zoë", "-f", NAME),
    "stop": (NAME,),
    "export": (NAME,),
    "backup": (NAME,),
    "restore": (NAME, "no-such-backup"),
    "verify": (NAME,),
    "doctor": ("-f", FLEET_FILE),
    "check": (FLEET_FILE,),
    "init": ("-o", "new.yaml"),
    "import ansible": ("hosts.ini",),
    "import hosts": ("hosts.txt",),
    "import ssh-config": (),
    "schema": (),
    "trust": ("gw-1", "-f", FLEET_FILE),
    "keys": (),
}
"""What is run of each command, in a directory with these files and a state of fleet NAME."""

JSON = (
    *("status", "agents", "tasks", "routes", "why", "logs", "diff", "dead"),
    *("verify", "doctor", "check"),
)
LOOK_S = 0.02
HEAVY = (
    *("asyncssh", "fleet_tui.cli.checkup", "fleet_tui.cli.ssh_problems", "fleet_tui.cli.terminal"),
    *("fleet_tui.config.load", "fleet_tui.config.peek", "fleet_tui.config.schema"),
    *("fleet_tui.console.actions.registry", "fleet_tui.engine.run", "fleet_tui.feed.client"),
)
"""What commands import when they run."""


def runs() -> dict[str, list[str]]:
    """Each run's name and arguments; every command is among them."""
    assert {words.split()[0] for words in INVOCATIONS} == set(commands())
    plain = {words: [*words.split(), *rest] for words, rest in INVOCATIONS.items()}
    as_json = {f"{words} --json": [*plain[words], "--json"] for words in JSON}
    return {**plain, **as_json, "help": ["--help"], "none": ["no-such-command"]}


def run(work: Path, name: str, arguments: list[str]) -> None:
    """One command in a child, its output in files unless this process has none itself."""
    out, err = work / f"{name}.out", work / f"{name}.err"
    # As a shell would give them: what the locale cannot decode is escaped.
    sys.argv = ["fleet-tui", *(os.fsdecode(each.encode()) for each in arguments)]
    child = os.fork()
    if child == 0:
        for stream, place in ((1, out), (2, err)):
            if (sys.stdout, sys.stderr)[stream - 1] is not None:
                os.dup2(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), stream)
        try:
            main()
        except SystemExit as left:
            for open_stream in (sys.stdout, sys.stderr):
                if open_stream is not None:
                    open_stream.flush()
            os._exit(left.code if isinstance(left.code, int) else 99)
        except BaseException:
            os._exit(98)
        os._exit(97)
    if name == "engine":
        end_once_it_listens(child)
    _, status = os.waitpid(child, 0)
    (work / f"{name}.rc").write_text(str(os.waitstatus_to_exitcode(status)))


def end_once_it_listens(child: int) -> None:
    """Ask an engine to end; one that ends before it listens needs no asking."""
    while os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if listens():
            os.kill(child, signal.SIGTERM)
            return
        time.sleep(LOOK_S)


def listens() -> bool:
    """Whether the engine has opened its door."""
    try:
        return socket_path(fleet_dir(ENGINE)).exists()
    except (FleetError, RuntimeError):
        return False


def nobody(uid: int) -> pwd.struct_passwd:
    """No password file knows anybody."""
    raise KeyError(f"getpwuid(): uid not found: {uid}")


def shift(now_ns: Callable[[], int], clock_s: float | None, back_s: float) -> None:
    """Another wall clock for this process and its children."""
    began = now_ns()
    offset = round(back_s * -1e9) if clock_s is None else round(clock_s * 1e9) - began
    time.time_ns = lambda: now_ns() + offset
    time.time = lambda: time.time_ns() / 1e9


if __name__ == "__main__":
    work, *options = sys.argv[1:]
    # Once, and not in every child: imports, patterns, and what the collector has to look at.
    for module in (*(f"fleet_tui.cli.{module}" for module, _ in commands().values()), *HEAVY):
        import_module(module)
    for shape in SHAPES:
        _ = shape.pattern
    gc.freeze()
    if "--nobody" in options:
        pwd.getpwuid = nobody
    if "--clock" in options:
        shift(time.time_ns, float(options[options.index("--clock") + 1]), 0)
    if "--set-back" in options:
        shift(time.time_ns, None, float(options[options.index("--set-back") + 1]))
    for each, words in runs().items():
        run(Path(work), each, words)
