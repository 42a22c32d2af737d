"""Remote text has one way to a screen, a print or a file for people: the firewall. No markup."""

import ast
from collections.abc import Iterator

import pytest

from tests.hygiene.sources import Source, full_name, imported_names, modules, owner, uses

RAW = {
    "fleet_tui/console/views/logs/lines.py": "gives it to safe_line in the next statement",
    "fleet_tui/console/views/recordings/review.py": "short() is safe_line",
    "fleet_tui/console/views/tasks/reasons.py": "whoever joins them makes them safe",
    "fleet_tui/console/views/tasks/detail.py": "counts it",
    "fleet_tui/console/views/submit/typed.py": "the operator's own text, put back into the form",
    "fleet_tui/cli/submit.py": "the operator's own text, for their editor",
    "fleet_tui/cli/agents.py": "safe_line'd with the sentence around it",
    "fleet_tui/cli/sending.py": "measures it",
    "fleet_tui/cli/task_file.py": "measures it",
    "fleet_tui/core/text/untrusted.py": "is it",
    "fleet_tui/core/text/firewall.py": "the one way out",
    "fleet_tui/core/text/redaction.py": "becomes Untrusted again without what looks like a secret",
    "fleet_tui/core/notes/decide.py": "measures it",
    "fleet_tui/core/tasks/submission.py": "hashes and measures it",
    "fleet_tui/core/tasks/filter.py": "looks for a word in it",
    "fleet_tui/core/tasks/quoting.py": "measures it",
    "fleet_tui/core/ledger/narrate.py": "becomes Untrusted again with the sentence around it",
    "fleet_tui/journal/telemetry/logs.py": "stores it",
    "fleet_tui/sim/": "plays the agents and the people whose text it is",
    "fleet_tui/wire/programs/wrapper.py": "sends it to the agent that it is for",
    "fleet_tui/wire/openclaw/attempt.py": "sends it to the agent that it is for",
    "fleet_tui/wire/openclaw/starting.py": "measures it",
    "fleet_tui/wire/ssh/pool.py": "wraps it again with the sentence around it",
    "fleet_tui/wire/ssh/failures.py": "wraps it again with the sentence around it",
    "fleet_tui/wire/ssh/connection.py": "asyncssh's connection; reasons are wrapped again",
    "fleet_tui/wire/ssh/identities.py": "certificates, not text",
    "fleet_tui/wire/ssh/trust.py": "asyncssh's connection",
}
"""Modules that touch the text itself, and why that is safe."""

WRAPPED = {
    "fleet_tui/wire/words.py": "the one way in",
    "fleet_tui/wire/openclaw/logs.py": "a LineRedactor remembers what the lines before began",
    "fleet_tui/wire/programs/logtail.py": "a LineRedactor remembers what the lines before began",
    "fleet_tui/wire/programs/answers.py": "a checkpoint is given back as it was, to its hash",
}
"""Where more than a literal becomes Untrusted by other ways than ``words_of``, which takes its
secrets out, and why."""

ECHO = {
    "fleet_tui/cli/common.py": "say, emit_table, emit_json: they make it safe",
    "fleet_tui/cli/main.py": "safe_text, and it must work when nothing else does",
    "fleet_tui/cli/logs.py": "json_text, and a line made of safe parts",
    "fleet_tui/cli/import_.py": "a fleet file: our words and names that were checked",
    "fleet_tui/cli/fleet_file.py": "our own schema",
    "fleet_tui/cli/keys.py": "our own words",
    "fleet_tui/cli/submit_lines.py": "our own words and numbers",
}
"""Commands that print more than a literal by other ways than ``say``, and why that is safe."""

MARKUP_METHODS = {"notify", "from_text", "from_ansi", "from_rich_text", "simulate_key", "panic"}
"""Of Textual's: they parse markup unless told otherwise, press keys, or print what they get."""

MARKUP_OFF = {
    "fleet_tui/console/shell/toasts.py": "markup=False, and summary() is safe",
    "fleet_tui/console/shell/screen.py": "a key of our own table, clicked in the footer",
}
"""Who calls them all the same, and why that is safe."""

MARKUP_ATTRIBUTES = {"border_title", "border_subtitle", "tooltip"}
"""A str given to these of a widget is parsed as markup."""


def attributes(source: Source, name: str) -> Iterator[ast.Attribute]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and node.attr == name:
            yield node


def raw_uses(source: Source) -> list[str]:
    return [f"{source.at(node)} {owner(source, node)}" for node in attributes(source, "raw")]


def wraps(source: Source) -> list[str]:
    """Where text that is no literal becomes Untrusted."""
    return [
        source.at(node)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "Untrusted"
        and not is_literal(node)
    ]


def is_literal(call: ast.Call) -> bool:
    return all(isinstance(argument, ast.Constant) for argument in call.args)


def prints(source: Source) -> list[str]:
    """Calls that print what is not a literal, without making it safe."""
    imported = imported_names(source.tree)
    found = []
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Call):
            continue
        name = full_name(node.func, imported) or ""
        if name in {"click.echo", "click.secho", "click.echo_via_pager"} and not is_literal(node):
            found.append(f"{source.at(node)} {name}: say() makes it safe")
        if name.endswith((".stdout.write", ".stderr.write")):
            found.append(f"{source.at(node)} {name}: say() makes it safe")
    return found


def marked_up(source: Source) -> list[str]:
    """Ways by which a str becomes markup in a widget."""
    found = []
    for node in ast.walk(source.tree):
        match node:
            case ast.Call(func=ast.Attribute(attr=name)) if name in MARKUP_METHODS:
                found.append(f"{source.at(node)} {name}")
            case ast.Assign(targets=targets):
                found += [
                    f"{source.at(node)} {each.attr}"
                    for each in targets
                    if isinstance(each, ast.Attribute) and each.attr in MARKUP_ATTRIBUTES
                ]
            case ast.Call(keywords=keywords):
                found += [
                    f"{source.at(node)} {each.arg}"
                    for each in keywords
                    if each.arg in MARKUP_ATTRIBUTES
                ]
            case ast.FunctionDef(name="render", returns=ast.Name(id="str")):
                found.append(f"{source.at(node)} render returns str, which is parsed as markup")
            case _:
                pass
    return found


def renders_of_errors(source: Source) -> list[str]:
    """Rich's pictures of exceptions, which show source lines and values."""
    return [
        f"{source.at(node)} {name}"
        for node, name in uses(source)
        if name.startswith("rich.traceback.") or name == "traceback.print_exc"
    ]


def allowed(path: str, exceptions: dict[str, str]) -> bool:
    return any(
        path == each or (each.endswith("/") and path.startswith(each)) for each in exceptions
    )


def test_remote_text_is_touched_in_few_places_each_with_a_reason() -> None:
    found = {s.path: raw_uses(s) for s in modules("fleet_tui")}
    found = {path: where for path, where in found.items() if where}
    assert {path: where for path, where in found.items() if not allowed(path, RAW)} == {}


def test_what_remotes_say_is_kept_without_secrets() -> None:
    sources = [s for layer in ("fleet_tui/wire", "fleet_tui/engine") for s in modules(layer)]
    found = {s.path: where for s in sources if (where := wraps(s))}
    assert {path: where for path, where in found.items() if path not in WRAPPED} == {}
    assert set(WRAPPED) <= set(found), "an exception nobody needs any more"


WHOLE_PAYLOADS = {
    "fleet_tui/cli/submit.py": "what its author is to change",
    "fleet_tui/cli/sending.py": "measures it",
    "fleet_tui/cli/task_file.py": "looks for secrets in it",
    "fleet_tui/console/views/submit/typed.py": "what its author is to change",
    "fleet_tui/console/views/tasks/detail.py": "shows it without secrets, as far as it goes",
}
"""What people see of a task's text is ``TaskSpec.shown``; who takes the whole, and why."""


def test_payloads_are_shown_without_secrets() -> None:
    taken = {
        source.path
        for layer in ("fleet_tui/cli", "fleet_tui/console")
        for source in modules(layer)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node).endswith("spec.payload")
    }
    assert taken == set(WHOLE_PAYLOADS)


def test_commands_print_through_the_firewall() -> None:
    found = {s.path: prints(s) for s in modules("fleet_tui/cli")}
    found = {path: where for path, where in found.items() if where}
    assert {path: where for path, where in found.items() if path not in ECHO} == {}
    assert set(ECHO) <= set(found), "an exception nobody needs any more"


def test_nothing_in_the_console_is_parsed_as_markup() -> None:
    found = {s.path: marked_up(s) for s in modules("fleet_tui/console")}
    found = {path: where for path, where in found.items() if where}
    assert {path: where for path, where in found.items() if path not in MARKUP_OFF} == {}
    assert set(MARKUP_OFF) <= set(found), "an exception nobody needs any more"


def test_no_picture_of_an_error_is_drawn() -> None:
    assert [where for s in modules("fleet_tui") for where in renders_of_errors(s)] == []


def example(text: str) -> Source:
    return Source("fleet_tui/example.py", text, ast.parse(text))


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (raw_uses, "widget.update(line.text.raw)"),
        (raw_uses, "def f(a):\n    return [each.raw for each in a]"),
        (wraps, "Unknown(reason, Untrusted(error.message))"),
        (wraps, "detail = Untrusted(f'it says {text}')"),
        (prints, "import click\nclick.echo(f'{agent.detail}')"),
        (prints, "from click import secho\nsecho(name)"),
        (prints, "import sys\nsys.stdout.write(text)"),
        (marked_up, "self.app.notify(text)"),
        (marked_up, "pane.border_title = name"),
        (marked_up, "Pane(tooltip=name)"),
        (marked_up, "class W:\n    def render(self) -> str:\n        return 'x'"),
        (marked_up, "Content.from_text(text)"),
        (marked_up, "app.simulate_key('d')"),
        (renders_of_errors, "from rich.traceback import Traceback\nshow(Traceback())"),
        (renders_of_errors, "import traceback\ntraceback.print_exc()"),
    ],
)
def test_the_scan_sees(check: object, text: str) -> None:
    assert callable(check)
    assert check(example(text))


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (raw_uses, "raw = safe_line(text)"),
        (wraps, "detail = Untrusted('still connecting')\nwords_of(text)"),
        (prints, "import click\nclick.echo('done', err=True)\nsay(f'{name}')"),
        (marked_up, "class W:\n    def render(self) -> Text:\n        return Text(safe)"),
        (marked_up, "titles.title = 'x'"),
        (renders_of_errors, "import traceback\ntraceback.format_exception(error)"),
    ],
)
def test_the_scan_does_not_cry_wolf(check: object, text: str) -> None:
    assert callable(check)
    assert not check(example(text))
