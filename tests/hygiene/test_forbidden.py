"""Calls that have no place here, each with the accident it prevents."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.hygiene.sources import (
    Source,
    full_name,
    imported_names,
    modules,
    text_files,
    uses,
)
from tests.support.surroundings import CHECKOUT

ARGUMENTS = {
    ("known_hosts", None): "asyncssh then trusts every host key",
    ("shell", True): "text from a file or a host becomes a command line",
    ("markup", True): "text from a host becomes styles, links and actions",
    ("check_hostname", False): "anybody may answer",
}

NAMES = {
    "pickle.": "loading one runs code",
    "marshal.": "loading one may crash the interpreter",
    "shelve.": "is pickle",
    "eval": "runs code",
    "exec": "runs code",
    "os.system": "is a shell",
    "os.popen": "is a shell",
    "subprocess.getoutput": "is a shell",
    "subprocess.getstatusoutput": "is a shell",
    "asyncio.create_subprocess_shell": "is a shell",
    "yaml.load": "YAML is composed and read by hand: config/reader.py",
    "yaml.safe_load": "keeps the last of two equal keys, knows YAML 1.1 only, has no bounds",
    "yaml.full_load": "builds what the file asks for",
    "yaml.unsafe_load": "builds what the file asks for",
    "rich.markup.": "text from a host becomes styles, links and actions",
    "rich.text.Text.from_markup": "text from a host becomes styles, links and actions",
    "rich.text.Text.from_ansi": "lets some control sequences through",
    "textual.content.Content.from_markup": "text from a host becomes styles, links and actions",
    "tempfile.mktemp": "somebody else may be quicker",
    "os.fork": "a child keeps the ledger's lock and half of every thread",
    "os.forkpty": "a child keeps the ledger's lock and half of every thread",
    "pty.fork": "a child keeps the ledger's lock and half of every thread",
    "multiprocessing.Pool": "forks",
    "multiprocessing.Process": "forks",
    "sys.settrace": "sees every local value",
    "print": "output goes through click, which survives closed pipes and odd encodings",
}

EXECUTES = {"fleet_tui/base/interrupt.py": "an empty text, which makes Python forget the last one"}
"""Who may call ``exec``, and what it executes."""

METHODS = {
    "create_process": "decodes strictly: one bad byte ends every channel of the connection",
    "run_until_complete": "the command line starts the only loop",
}

WIDGETS = {
    "Input": "shows its value as it is; ours is typed or safe_line'd",
    "TextArea": "shows control characters as pictures",
}
"""Of Textual's own widgets. The others parse markup or repaint all of themselves."""

PROGRAMS = {"run", "Popen", "call", "check_call", "check_output"}
"""Of ``subprocess``: they take a list, so that nothing is split or looked up by a shell."""

STARTS = {
    "asyncio.create_subprocess_exec",
    *(f"subprocess.{name}" for name in sorted(PROGRAMS)),
}
"""What starts a program."""

STARTED_OTHERWISE = (
    *("os.exec", "os.spawn", "os.posix_spawn", "os.startfile", "pty.spawn", "webbrowser."),
    *("click.edit", "click.launch", "click.echo_via_pager", "click.pager", "pexpect."),
)
"""Programs started with the whole environment of this process."""

ENVIRONMENTS = {
    "fleet_tui.base.children.environment": "",
    "fleet_tui.base.children.with_our_settings": "fleet_tui/cli/demo.py",
    "fleet_tui.base.children.of_an_engine": "fleet_tui/cli/open.py",
}
"""What makes a child's environment, and the one module that may use it, if it is not for all."""

SSH = ("fleet_tui/wire/", "fleet_tui/sim/")
"""Who may import asyncssh: what reaches agents, and the server that plays them."""

SQL = ("fleet_tui/journal/",)


LINKS = {
    "fleet_tui/wire/ssh/trust.py": "known_hosts may be a link into the operator's settings",
    "fleet_tui/sim/": "files of the simulated hosts",
}
"""Who may make files through a link that lies in the way."""


def calls(source: Source) -> Iterator[tuple[ast.Call, str]]:
    imported = imported_names(source.tree)
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call):
            yield node, full_name(node.func, imported) or ""


def forbidden(source: Source) -> list[str]:
    found = []
    for call, _ in calls(source):
        for keyword in call.keywords:
            for (name, value), why in ARGUMENTS.items():
                given = keyword.value
                if keyword.arg == name and isinstance(given, ast.Constant) and given.value is value:
                    found.append(f"{source.at(call)} {name}={value}: {why}")
        if isinstance(call.func, ast.Attribute) and call.func.attr in METHODS:
            found.append(f"{source.at(call)} {call.func.attr}: {METHODS[call.func.attr]}")
    found += started_by_text(source) + run_on_a_connection(source)
    for node, name in uses(source):
        for banned, why in NAMES.items():
            if name == "exec" and source.path in EXECUTES:
                continue
            if name == banned or (banned.endswith(".") and name.startswith(banned)):
                found.append(f"{source.at(node)} {name}: {why}")
    return found


def started_by_text(source: Source) -> list[str]:
    return [
        f"{source.at(call)} {name}: a program and its arguments are a list"
        for call, name in calls(source)
        if name.startswith("subprocess.") and name.removeprefix("subprocess.") in PROGRAMS
        if not call.args or isinstance(call.args[0], ast.Constant | ast.JoinedStr | ast.BinOp)
    ]


def run_on_a_connection(source: Source) -> list[str]:
    """asyncssh's ``run`` takes a lost connection for an end."""
    if "asyncssh" not in imports(source):
        return []
    return [
        f"{source.at(node)} run: a lost connection returns normally; start() tells"
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Attribute) and node.attr == "run"
        if isinstance(node.value, ast.Attribute | ast.Name)
        if (full_name(node.value, {}) or "").endswith(("conn", "connection", ".raw"))
    ]


def inheriting(source: Source) -> list[str]:
    """Programs that are started with more of our environment than they need."""
    imported = imported_names(source.tree)
    hidden = {
        id(inner)
        for block in ast.walk(source.tree)
        if isinstance(block, ast.With)
        if any(
            isinstance(item.context_expr, ast.Call)
            and full_name(item.context_expr.func, imported) == "fleet_tui.base.children.hidden"
            for item in block.items
        )
        for inner in ast.walk(block)
    }
    found = [
        f"{source.at(node)} {name}: inherits every secret; see fleet_tui/base/children.py"
        for node, name in uses(source)
        if name.startswith(STARTED_OTHERWISE) and id(node) not in hidden
    ]
    for call, name in calls(source):
        if name not in STARTS and not name.endswith(("subprocess_exec", "subprocess_shell")):
            continue
        given = next((k.value for k in call.keywords if k.arg == "env"), None)
        made_by = full_name(given.func, imported) if isinstance(given, ast.Call) else None
        only = ENVIRONMENTS.get(made_by or "")
        if only is None or only not in ("", source.path):
            found.append(f"{source.at(call)} {name}: env= is made by fleet_tui/base/children.py")
    return found


def follows_links(source: Source) -> list[str]:
    """Flags for ``os.open`` that make a file, also where a link lies in the way."""
    flags = [n for n in ast.walk(source.tree) if isinstance(n, ast.BinOp)]
    parts = {id(side) for whole in flags for side in (whole.left, whole.right)}
    return [
        source.at(whole)
        for whole in flags
        if id(whole) not in parts
        if "O_CREAT" in (spelled := ast.unparse(whole)) and "O_NOFOLLOW" not in spelled
    ]


def imports(source: Source) -> set[str]:
    return {name.partition(".")[0] for name in imported_names(source.tree).values()}


def test_nothing_forbidden_is_called() -> None:
    assert [where for source in modules("fleet_tui") for where in forbidden(source)] == []


def test_programs_get_an_environment_without_secrets() -> None:
    started = {
        source.path
        for source in modules("fleet_tui")
        for _, name in calls(source)
        if name in STARTS
    }
    assert len(started) > 5
    assert [where for source in modules("fleet_tui") for where in inheriting(source)] == []


@pytest.mark.parametrize(
    "line",
    [
        "import subprocess\nsubprocess.run(['ls'])",
        "import subprocess\nsubprocess.Popen(argv, env=os.environ)",
        "from subprocess import Popen as P\nP(argv, env=dict(os.environ))",
        "import asyncio\nasync def f():\n    await asyncio.create_subprocess_exec('ls')",
        "from fleet_tui.base import children\nimport subprocess\n"
        "subprocess.run(argv, env=children.of_an_engine())",
        "import os\nos.execvp('ls', argv)",
        "import click\nclick.edit(text)",
        "async def f(loop):\n    await loop.subprocess_exec(protocol, 'ls')",
    ],
)
def test_the_scan_sees_what_a_child_inherits(line: str) -> None:
    assert inheriting(Source("example.py", line, ast.parse(line)))


def test_files_are_made_where_they_were_meant_to_be() -> None:
    found = {s.path: follows_links(s) for s in modules("fleet_tui")}
    found = {path: where for path, where in found.items() if where}
    assert {p: where for p, where in found.items() if not p.startswith(tuple(LINKS))} == {}


def test_only_the_wire_speaks_ssh() -> None:
    found = [s.path for s in modules("fleet_tui") if "asyncssh" in imports(s)]
    assert found
    assert [path for path in found if not path.startswith(SSH)] == []


def test_only_the_journal_speaks_sql() -> None:
    found = [s.path for s in modules("fleet_tui") if imports(s) & {"sqlite3", "aiosqlite"}]
    assert found
    assert [path for path in found if not path.startswith(SQL)] == []


def test_of_textuals_widgets_only_those_that_show_text_as_it_is() -> None:
    found = {
        name.removeprefix("textual.widgets.")
        for source in modules("fleet_tui/console")
        for name in imported_names(source.tree).values()
        if name.startswith("textual.widgets.")
    }
    assert found <= set(WIDGETS)


MACHINES_OWN = re.compile(
    r"(?<![\w.~}])/(?:root|work|workspace|builds|Users)/\w"
    r"|/tmp/\w*env\b"
    r"|registry\.npm|pythonhosted|\bpypi\.org"
)
"""Paths of somebody's machine, and hosts that only an installer's own settings should name."""


def test_no_machines_own_paths() -> None:
    here = str(CHECKOUT)
    found = []
    for file in text_files():
        try:
            text = file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        path = file.relative_to(CHECKOUT).as_posix()
        for number, line in enumerate(text.splitlines(), 1):
            named = here in line or MACHINES_OWN.search(line)
            if named and path != "tests/hygiene/test_forbidden.py":
                found.append(f"{path}:{number}")
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "asyncssh.connect(host, known_hosts=None)",
        "subprocess.run(text, shell=True)",
        "Static(text, markup=True)",
        "import yaml\nyaml.load(text, Loader=L)",
        "from yaml import safe_load\nsafe_load(text)",
        "import pickle\npickle.loads(data)",
        "eval(text)",
        "x = [f(exec)]",
        "from rich.text import Text\nText.from_markup(text)",
        "async def f(conn):\n    await conn.create_process('true')",
        "print('hello')",
        "import os\nif os.fork() == 0: work()",
        "import pty\npty.fork()",
        "from multiprocessing import Pool\nPool()",
        "import subprocess\nsubprocess.run('ls -l')",
        "import subprocess\nsubprocess.Popen(f'ssh {host}')",
        "import asyncssh\nasync def f(conn):\n    await conn.run('true')",
        "import asyncssh\nasync def f(self):\n    await self.raw.run('true')",
    ],
)
def test_the_scan_sees(line: str) -> None:
    assert forbidden(Source("example.py", line, ast.parse(line)))


def test_the_scan_sees_links_followed() -> None:
    text = "import os\nos.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)"
    assert follows_links(Source("example.py", text, ast.parse(text)))
    assert not follows_links(
        Source("example.py", "", ast.parse(text.replace("CLOEXEC", "NOFOLLOW")))
    )


@pytest.mark.parametrize(
    "line",
    ["run(known_hosts=path)", "model.eval()", "x: pickle.Pickler", "re.compile('eval')"],
)
def test_the_scan_does_not_cry_wolf(line: str) -> None:
    assert not forbidden(Source("example.py", line, ast.parse(line)))
