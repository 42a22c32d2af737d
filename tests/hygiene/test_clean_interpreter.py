"""What a fresh interpreter has loaded after doing one thing: start-up time is kept by what is
never imported, and layers by what they never see."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from fleet_tui.config.load import load_fleet
from fleet_tui.core.engine.events import EngineStopped, FleetLoaded
from fleet_tui.journal.ledger.writer import JournalWriter
from tests.hygiene.sources import modules
from tests.support.surroundings import CHECKOUT

SMALL = CHECKOUT / "sample_fleets" / "small.yaml"
HEAVY = {"textual", "rich", "asyncssh", "cryptography", "psutil", "aiosqlite", "websockets"}
"""Each costs a tenth of a second or belongs to a layer that these commands do without."""

REPORT = """
import json, sys
from fleet_tui.cli.main import run
code = run(sys.argv[1:])
sys.stdout.flush()
print(json.dumps([code, sorted({name.partition(".")[0] for name in sys.modules})]))
"""

CORE_MAY_LOAD = {"fleet_tui", "msgspec", "re2", "typing_extensions"}
"""msgspec looks whether typing_extensions is there."""


def in_fresh_interpreter(script: str, *arguments: str, cwd: Path = CHECKOUT) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_and_list(*arguments: str, cwd: Path = CHECKOUT) -> tuple[int, set[str], str]:
    """The exit code of a command, the top-level packages it loaded, and what it said."""
    said, _, last = in_fresh_interpreter(REPORT, *arguments, cwd=cwd).rstrip().rpartition("\n")
    code, loaded = json.loads(last)
    return code, set(loaded), said


def test_version_loads_next_to_nothing() -> None:
    code, loaded, said = run_and_list("--version")
    assert (code, said.split()[0]) == (0, "fleet-tui,")
    assert not loaded & (HEAVY | {"pydantic", "yaml", "msgspec", "sqlite3", "asyncio"})


def test_help_loads_next_to_nothing() -> None:
    code, loaded, said = run_and_list("--help")
    assert (code, "demo" in said) == (0, True)
    assert not loaded & (HEAVY | {"pydantic", "yaml", "sqlite3", "asyncio"}), "the verbs' words"


def test_check_loads_no_console_and_no_ssh() -> None:
    code, loaded, said = run_and_list("check", str(SMALL))
    assert (code, "ok" in said) == (0, True)
    assert not loaded & (HEAVY | {"sqlite3"})


@pytest.mark.parametrize("command", [["status"], ["status", "--json"], ["tasks"], ["agents"]])
async def test_looking_loads_no_console_and_no_ssh(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEET_TUI_STATE_DIR", str(tmp_path))
    writer = await JournalWriter.open(tmp_path / "small", lambda: 1_000, "0.1.0", 4711)
    loaded_fleet = FleetLoaded(spec=load_fleet(SMALL, {}).spec)
    await writer.append([loaded_fleet, EngineStopped(reason="a test")], 1_000)
    await writer.close("written")

    code, loaded, said = run_and_list(*command, "--fleet", str(SMALL))

    assert code == 0, said
    assert said
    assert not loaded & HEAVY


def core_modules() -> list[str]:
    paths = [source.path for source in modules("fleet_tui/core")]
    return [path.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for path in paths]


def test_core_loads_the_standard_library_msgspec_and_re2() -> None:
    script = (
        "import importlib, json, sys\nfor name in sys.argv[1:]: importlib.import_module(name)\n"
    )
    script += 'print(json.dumps(sorted({n.partition(".")[0] for n in sys.modules})))'
    loaded = set(json.loads(in_fresh_interpreter(script, *core_modules())))
    foreign = {name for name in loaded - set(sys.stdlib_module_names) if not name.startswith("_")}
    plain = set(json.loads(in_fresh_interpreter(script)))
    assert foreign - plain <= CORE_MAY_LOAD
    assert not loaded & {"asyncio", "sqlite3", "socket", "subprocess", "logging"}


def test_the_console_loads_no_engine_and_no_ssh() -> None:
    script = "import json, sys, fleet_tui.console.shell.app\nprint(json.dumps(sorted(sys.modules)))"
    loaded = set(json.loads(in_fresh_interpreter(script)))
    ours = {".".join(name.split(".")[:2]) for name in loaded if name.startswith("fleet_tui.")}
    assert not ours & {"fleet_tui.engine", "fleet_tui.wire", "fleet_tui.journal", "fleet_tui.sim"}
    assert not loaded & {"asyncssh", "sqlite3", "aiosqlite", "psutil"}


def test_the_tests_test_this_checkout() -> None:
    import fleet_tui

    assert Path(fleet_tui.__file__).is_relative_to(CHECKOUT / "fleet_tui")
    where = in_fresh_interpreter("import fleet_tui; print(fleet_tui.__file__)", cwd=Path("/"))
    assert Path(where.strip()).is_relative_to(CHECKOUT / "fleet_tui")
