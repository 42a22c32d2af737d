"""Runs Ansible to resolve an inventory and its own connection settings.

Only Ansible knows its own formats: INI with its comments and ranges, YAML and TOML, directories,
``group_vars`` and ``host_vars``, plugins, and programs that print an inventory. Like every command
of Ansible it runs the inventory's own programs and plugins.
"""

import contextlib
import json
import os
import re
import selectors
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from fleet_tui.base import children
from fleet_tui.base.errors import FleetError, InvalidConfig, Unreachable
from fleet_tui.config.problems import starred, visible

PROGRAM = "ansible-inventory"
CONFIG_PROGRAM = "ansible-config"
TIMEOUT_S = 120.0
"""Inventories that query a cloud take a while."""
MAX_FILES = 100_000
"""Files of an inventory directory, and of the variables next to it."""
MAX_INVENTORY_BYTES = 256 * 1024 * 1024
"""Of all of them. Ansible holds them in memory many times over."""
MAX_OUTPUT_BYTES = 32 * 1024 * 1024
MAX_WORDS_BYTES = 64 * 1024
"""What is kept of its standard error; the rest is read and dropped."""
MAX_SAID_LINES = 12
"""How many lines of Ansible's own output a message repeats, always including the last one."""

_CHUNK_BYTES = 65_536
_LOOK_AGAIN_S = 0.2
"""How often it is asked whether it has ended while it says nothing."""
_SETTINGS = {
    # Ansible refuses to start without a UTF-8 locale.
    "LC_ALL": "C.UTF-8",
    "PYTHONUTF8": "1",
    "ANSIBLE_NOCOLOR": "1",
    "ANSIBLE_FORCE_COLOR": "0",
    "NO_COLOR": "1",
    # There is no terminal to answer prompts.
    "ANSIBLE_ASK_VAULT_PASS": "0",
    "ANSIBLE_ASK_PASS": "0",
    # Both would print more than the inventory.
    "ANSIBLE_VERBOSITY": "0",
    "ANSIBLE_DEBUG": "0",
    "ANSIBLE_DEPRECATION_WARNINGS": "0",
    # A host's variables without those of its groups would be of no use.
    "ANSIBLE_INVENTORY_EXPORT": "0",
    "ANSIBLE_INVENTORY_UNPARSED_FAILED": "1",
}
"""Override the operator's own settings. All others apply, such as ANSIBLE_CONFIG,
ANSIBLE_INVENTORY_ENABLED or ANSIBLE_VAULT_PASSWORD_FILE."""
_PASSED_OVER = re.compile(
    r"^\.|^(?:host_vars|group_vars|vars_plugins)$"
    r"|(?:\.(?:pyc|pyo|swp|bak|rpm|md|txt|rst|orig|cfg|retry)|~)$"
)
"""Names in a directory that Ansible ignores (ansible/inventory/manager.py, IGNORED)."""
_ALL_OF_IT = {"ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "1"}


_SCRATCH = "ANSIBLE_LOCAL_TEMP"
"""Where Ansible makes directories as soon as it starts: below the home, which may be none."""

_TRACEBACK = "Traceback (most recent call last)"


@dataclass(frozen=True, slots=True)
class Listed:
    """What ansible-inventory printed."""

    document: bytes
    """Its JSON."""
    warnings: tuple[str, ...]
    """Its messages on standard error, safe to print."""
    unread: tuple[str, ...]
    """Its messages about parts of the inventory that it could not read; the rest is in the JSON."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One of Ansible's own settings that was changed."""

    name: str
    """As ``ansible-config`` names it: ``remote_user``."""
    value: object
    origin: str
    """The file or variable that sets it, safe to show."""


@dataclass(frozen=True, slots=True)
class _Ran:
    status: int
    out: bytes
    err: bytes


def find_program(which: Callable[[str], str | None] = shutil.which) -> str:
    """Where ansible-inventory is: on PATH, or beside the interpreter that runs this program.

    Raises Unreachable, saying both ways to get it.
    """
    beside = Path(sys.executable).parent / PROGRAM
    found = which(PROGRAM) or (str(beside) if os.access(beside, os.X_OK) else None)
    if found is None:
        raise Unreachable(
            f"an Ansible inventory is read with {PROGRAM}, which is not on PATH; install Ansible, "
            "or install fleet-tui with its extra: pip install 'fleet-tui[ansible]'"
        )
    return found


def list_inventory(
    program: str,
    path: Path,
    env: Mapping[str, str],
    *,
    timeout_s: float = TIMEOUT_S,
    max_bytes: int = MAX_OUTPUT_BYTES,
) -> Listed:
    """``ansible-inventory --list`` of an inventory.

    Raises InvalidConfig with Ansible's own words if it cannot read any of it, and for a program
    that may not be executed; FleetError if ``program`` cannot be run, takes too long or prints too
    much.
    """
    _check_readable(path)
    _check_programs(path)
    argv = [program, "--list", "-i", str(path.absolute())]
    unread: tuple[str, ...] = ()
    with _scratch() as directory:
        settings = {**_SETTINGS, _SCRATCH: directory}
        ran = _run(argv, env, {**settings, **_ALL_OF_IT}, timeout_s, max_bytes)
        if ran.status != 0 and path.is_dir():
            # Of a directory the other files still count, as they do for Ansible.
            unread = _words(ran.err)
            ran = _run(argv, env, settings, timeout_s, max_bytes)
    if ran.status != 0:
        said = "\n".join(_few(_words(ran.err))) or "it gave no reason"
        raise InvalidConfig(f"{PROGRAM} cannot read {path}:\n{said}", hint=_hint(ran.err))
    return Listed(ran.out, () if unread else _words(ran.err), _few(unread))


def _check_readable(path: Path) -> None:
    """Ansible opens whatever has the name of an inventory or of its variables: it would wait for
    ever for the other end of a pipe, and fill the memory with what has no end. Raises InvalidConfig
    for what is neither a regular file nor a directory, and for more bytes than an inventory has."""
    size = _size_of(path)
    beside = path if path.is_dir() else path.parent
    places = [beside / name for name in ("group_vars", "host_vars")]
    looked_at = 0
    for place in (path, *places) if path.is_dir() else places:
        for directory, _, files in os.walk(place):
            for name in files:
                looked_at += 1
                if looked_at > MAX_FILES:
                    raise InvalidConfig(f"{path}: more than {MAX_FILES:,} files of inventory")
                size += _size_of(Path(directory, name), may_vanish=True)
    if size > MAX_INVENTORY_BYTES:
        raise InvalidConfig(f"{path}: more than {MAX_INVENTORY_BYTES:,} bytes of inventory")


def _check_programs(path: Path) -> None:
    """Of a program that it may not run, Ansible reads the text: each of its lines that is one word
    would become a host. Raises InvalidConfig for such a program."""
    for file in _sources(path) if path.is_dir() else (path,):
        if os.access(file, os.X_OK) or not file.is_file():
            continue
        try:
            with file.open("rb") as opened:
                is_program = opened.read(2) == b"#!"
        except OSError as error:
            raise InvalidConfig(f"{file}: {error.strerror}") from None
        if is_program:
            raise InvalidConfig(
                f"{file} is a program (its first line begins with #!) that may not be executed",
                hint=f"chmod +x {shlex.quote(str(file))}, and {PROGRAM} runs it",
            )


def _sources(directory: Path) -> Iterator[Path]:
    """The files that Ansible reads of a directory, at any depth."""
    for where, directories, files in os.walk(directory):
        directories[:] = (name for name in directories if not _PASSED_OVER.search(name))
        yield from (Path(where, name) for name in files if not _PASSED_OVER.search(name))


def _size_of(path: Path, *, may_vanish: bool = False) -> int:
    try:
        found = path.stat()
    except OSError as error:
        if may_vanish:  # Ansible reports a dangling link itself
            return 0
        raise InvalidConfig(f"{path}: {error.strerror}") from None
    if stat.S_ISDIR(found.st_mode):
        return 0
    if not stat.S_ISREG(found.st_mode):
        raise InvalidConfig(f"{path}: no regular file and no directory")
    return found.st_size


def connection_settings(
    program: str, env: Mapping[str, str], *, timeout_s: float = TIMEOUT_S
) -> tuple[Setting, ...]:
    """What ansible.cfg and the environment say of the way to every host: changed settings of the
    connection plugin in force, and the plugin's name as ``transport``. An inventory's ``--list``
    does not hold them. ``program`` is the ``ansible-inventory`` beside which ``ansible-config`` is.

    Raises FleetError if it cannot be asked.
    """
    beside = Path(program).with_name(CONFIG_PROGRAM)
    if not beside.exists():
        beside = Path(program).resolve().with_name(CONFIG_PROGRAM)
    argv = [str(beside), "dump", "--type", "all", "--only-changed", "--format", "json"]
    with _scratch() as directory:
        ran = _run(argv, env, {**_SETTINGS, _SCRATCH: directory}, timeout_s, MAX_OUTPUT_BYTES)
    if ran.status != 0:
        said = "; ".join(_few(_words(ran.err))[-1:]) or "it gave no reason"
        raise FleetError(f"{CONFIG_PROGRAM} failed: {said}")
    try:
        return _changed(json.loads(ran.out))
    except (ValueError, RecursionError):
        raise FleetError(f"{CONFIG_PROGRAM} did not print JSON") from None


def _changed(dump: object) -> tuple[Setting, ...]:
    """The dump is a list: settings of Ansible itself, then one object for each kind of plugin, with
    a list for each plugin."""
    items = [item for item in _list(dump) if isinstance(item, dict)]
    own = [_setting(item) for item in items if item.get("name") == "DEFAULT_TRANSPORT"]
    transport = str(own[0].value) if own else "ssh"
    plugins: dict[str, list[object]] = {}
    for item in items:
        for plugin in _list(item.get("CONNECTION_PLUGINS")):
            if isinstance(plugin, dict):
                plugins |= {str(name): _list(settings) for name, settings in plugin.items()}
    plugin_name = _PLUGIN_OF.get(transport.removeprefix("ansible.builtin."), "ssh")
    found = [_setting(each) for each in plugins.get(plugin_name, ()) if isinstance(each, dict)]
    return (*(replace(each, name="transport") for each in own), *found)


_PLUGIN_OF = {"paramiko": "paramiko_ssh", "paramiko_ssh": "paramiko_ssh"}
"""Plugins that have settings of their own; all else is told by those of ``ssh``."""


def _setting(said: Mapping[str, object]) -> Setting:
    origin = str(said.get("origin") or "").removeprefix("env: ")
    return Setting(str(said.get("name")), said.get("value"), visible(starred(origin)))


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _scratch() -> tempfile.TemporaryDirectory[str]:
    try:
        return tempfile.TemporaryDirectory(prefix="fleet-tui-ansible-", ignore_cleanup_errors=True)
    except OSError as error:
        raise FleetError(f"{PROGRAM} needs a temporary directory: {error.strerror}") from None


def _hint(err: bytes) -> str:
    if b"vault" not in err.lower():
        return ""
    return (
        "vault passwords are never asked for; ANSIBLE_VAULT_PASSWORD_FILE names a file with one, "
        "or import a copy of the inventory without the encrypted files"
    )


def _words(err: bytes) -> tuple[str, ...]:
    lines = err.decode("utf-8", "replace").splitlines()
    at = next((n for n, line in enumerate(lines) if line.strip().startswith(_TRACEBACK)), None)
    if at is not None:
        # What it says before is for people; of the rest only the last line may be.
        lines = lines[:at] if any(line.strip() for line in lines[:at]) else lines[-1:]
    return tuple(dict.fromkeys(visible(starred(line.strip())) for line in lines if line.strip()))


def _few(words: tuple[str, ...]) -> tuple[str, ...]:
    if len(words) <= MAX_SAID_LINES:
        return words
    return (*words[: MAX_SAID_LINES - 1], words[-1])


def _run(
    argv: list[str],
    env: Mapping[str, str],
    settings: Mapping[str, str],
    timeout_s: float,
    max_bytes: int,
) -> _Ran:
    with children.Birth() as birth:
        try:
            process = subprocess.Popen(  # noqa: S603 - no shell, and the path cannot be an option
                argv,
                env=children.environment(settings, of=env),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # without a terminal nothing it starts can ask a question
            )
        except OSError as refused:
            raise FleetError(f"{argv[0]} cannot be run: {refused.strerror}") from None
        with process:
            try:
                birth.known()
                return _read(process, time.monotonic() + timeout_s, timeout_s, max_bytes)
            finally:
                # Also what it started and left behind.
                with contextlib.suppress(ProcessLookupError, PermissionError):  # all have ended
                    os.killpg(process.pid, signal.SIGKILL)


def _read(
    process: subprocess.Popen[bytes], until_s: float, timeout_s: float, max_bytes: int
) -> _Ran:
    assert process.stdout is not None
    assert process.stderr is not None
    out, err = bytearray(), bytearray()
    with selectors.DefaultSelector() as pipes:
        pipes.register(process.stdout, selectors.EVENT_READ, out)
        pipes.register(process.stderr, selectors.EVENT_READ, err)
        while pipes.get_map():
            left_s = until_s - time.monotonic()
            if left_s <= 0:
                raise FleetError(f"{PROGRAM} took longer than {timeout_s:g}s and was stopped")
            ended = process.poll() is not None
            ready = pipes.select(min(left_s, _LOOK_AGAIN_S))
            if ended and not ready:
                break  # what it left behind holds the pipes and says nothing
            for key, _ in ready:
                data = os.read(key.fd, _CHUNK_BYTES)
                if not data:
                    pipes.unregister(key.fileobj)
                elif key.data is err:
                    err += data[: MAX_WORDS_BYTES - len(err)]
                elif len(out) + len(data) > max_bytes:
                    raise FleetError(f"{PROGRAM} printed more than {max_bytes:,} bytes")
                else:
                    out += data
    try:
        status = process.wait(max(0.0, until_s - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise FleetError(f"{PROGRAM} took longer than {timeout_s:g}s and was stopped") from None
    return _Ran(status, bytes(out), bytes(err))
