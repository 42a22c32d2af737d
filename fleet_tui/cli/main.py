"""The ``fleet-tui`` command: finds the subcommand, runs it, turns errors into exit codes."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module

import click

from fleet_tui import __version__
from fleet_tui.base.errors import ExitCode, FleetError, UsageError
from fleet_tui.verbs.chapters import Chapter

PROGRAM = "fleet-tui"
COMPLETION = "_FLEET_TUI_COMPLETE"
"""Set by the shell's completion script; see click's documentation."""

ACTING = "acting"
"""The module that makes the commands of verbs; their texts are those of the verbs."""

Commands = dict[str, tuple[str, str]]
"""Command -> (module in this package, help line)."""

THE_REST: Commands = {"...": ("", "")}

CHAPTERS: dict[Chapter, Commands] = {
    Chapter.FLEET: {
        "demo": ("demo", "Run a simulated fleet; no traffic leaves this machine."),
        "open": ("open", "Open a fleet's console, starting its engine if none runs."),
        "status": ("status", "Show fleet health; exit 1 if anything needs attention."),
        "diff": ("diff", "Show what changed between two moments."),
        "doctor": ("doctor", "Diagnose what could keep a fleet from working and suggest fixes."),
        "undo": ("undo", ""),
        **THE_REST,
    },
    Chapter.TASKS: {
        "submit": ("submit", ""),
        "tasks": ("tasks", "List tasks."),
        "why": ("why", "Explain why a task was placed where it is, or why it waits."),
        **THE_REST,
        "resolve": ("tasks", ""),
    },
    Chapter.DEAD_LETTERS: {
        "dead": ("dead", "List failed tasks not yet requeued or dropped, by cause."),
        "requeue": (ACTING, ""),
        "edit": ("submit", ""),
        **THE_REST,
    },
    Chapter.AGENTS_AND_ALERTS: {
        "agents": ("agents", "List agents."),
        **THE_REST,
        "trust": ("trust", "Show a host's SSH key and add it to known_hosts."),
    },
    Chapter.ROUTING_AND_LOGS: {
        "routes": ("routes", "List the latest routing decisions."),
        "logs": ("logs", "Print the merged log of all agents."),
        **THE_REST,
    },
    Chapter.ENGINE: {
        "engine": ("engine", "Run a fleet's engine in the foreground."),
        **THE_REST,
        "stop": ("engine", "Stop a fleet's engine; running work continues."),
    },
    Chapter.LEDGER: {
        "review": ("review", "Review a recorded session, offline."),
        "export": ("ledger", "Export a portable, redacted recording."),
        "backup": (
            "ledger",
            "Back up a fleet's ledger and verify the copy; the engine may run.",
        ),
        "restore": ("ledger", "Replace a fleet's ledger with a backup."),
        "verify": ("ledger", "Verify the integrity of a ledger, backup or recording."),
        **THE_REST,
    },
    Chapter.FLEET_FILE: {
        "check": ("fleet_file", "Check a fleet file and report every problem."),
        "init": ("fleet_file", "Write a commented starter fleet file."),
        "import": ("import_", "Generate a fleet file from an ssh_config or an inventory."),
        "schema": ("fleet_file", "Print the JSON Schema of fleet files."),
        **THE_REST,
    },
    Chapter.CONSOLE: {
        "keys": ("keys", "List the console's keys."),
        **THE_REST,
    },
}
"""The commands that have a module of their own, by what they are about; the help line is empty
where the verb of that name has it. ``THE_REST`` stands where the chapter's other verbs do. Modules
load when their command runs; ``hold`` is ``hold_command`` there."""

BY_HAND = {
    name: entry for chapter in CHAPTERS.values() for name, entry in chapter.items() if entry[0]
}


@cache
def chapters() -> dict[Chapter, Commands]:
    """All commands with their help lines, in the order of the help."""
    from fleet_tui.verbs.table import WORDS

    rest: dict[Chapter, Commands] = {chapter: {} for chapter in Chapter}
    for words in WORDS.values():
        if words.name not in BY_HAND:
            rest[words.chapter][words.name] = (ACTING, "")
    listed: dict[Chapter, Commands] = {}
    for chapter, placed in CHAPTERS.items():
        found: Commands = {}
        for name, entry in placed.items():
            found |= {name: entry} if name in BY_HAND else rest[chapter]
        listed[chapter] = {
            name: (module, line or WORDS[name].summary) for name, (module, line) in found.items()
        }
    return listed


@cache
def commands() -> Commands:
    """All of them."""
    return {name: entry for chapter in chapters().values() for name, entry in chapter.items()}


class LazyGroup(click.Group):
    """A group that knows its commands' names without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names in the order of the table."""
        return list(commands())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command's module."""
        entry = BY_HAND.get(cmd_name) or commands().get(cmd_name)
        if entry is None:
            return None
        command = getattr(import_module(f"fleet_tui.cli.{entry[0]}"), f"{cmd_name}_command")
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the help lines of the table, importing no command."""
        widest = max(map(len, commands()))
        for chapter, listed in chapters().items():
            with formatter.section(chapter):
                formatter.write_dl([(n.ljust(widest), line) for n, (_, line) in listed.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; suggest the nearest names for a typing mistake."""
        name = args[0] if args else ""
        if name and self.get_command(ctx, name) is None and not name.startswith("-"):
            import difflib

            close = difflib.get_close_matches(name, commands(), n=3)
            hint = f" Did you mean {' or '.join(close)}?" if close else ""
            ctx.fail(f"There is no command {name!r}.{hint}")
        return super().resolve_command(ctx, args)


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, "-V", "--version", prog_name=PROGRAM)
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Monitor a fleet of OpenClaw agents over SSH, submit tasks, see why each task was placed
    where it is, and review past sessions. Without a command, fleet-tui opens ./fleet.yaml."""
    if ctx.invoked_subcommand is None:
        from fleet_tui.cli.open import open_command

        ctx.invoke(open_command)


def main() -> int:
    """Run the command line of this process; returns the exit code."""
    from fleet_tui.base.paths import settle_home
    from fleet_tui.cli.terminal import belt

    settle_home()
    belt()
    return run(sys.argv[1:])


def run(args: list[str]) -> int:
    """Run with arguments and return the exit code. Never prints a traceback: expected errors are
    reported in a sentence, and a bug's traceback is written to a file."""
    try:
        result = _invoke(args)
        if sys.stdout is not None:  # as when the parent process had closed it
            sys.stdout.flush()
        return result if isinstance(result, int) else ExitCode.OK
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.ClickException as error:
        with _if_it_can_be_said():
            _show(error)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # The reader of our output is gone: stay silent, even when Python flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except FleetError as error:
        with _if_it_can_be_said():
            _tell(error.message, error.hint)
        return error.exit_code
    except OSError as error:
        reason = error.strerror or str(error)
        where = error.filename or ("standard output" if _let_go_of_output(error) else "")
        with _if_it_can_be_said():
            _tell(f"{where}: {reason}" if where else reason)
        return ExitCode.FAILED
    except Exception as error:  # a bug: its traceback is for us, not for the operator's terminal
        from fleet_tui.base import crash

        kept = crash.keep(error)
        with _if_it_can_be_said():
            _tell(f"a bug stopped this command ({crash.in_words(error)})", kept)
        return ExitCode.FAILED


@contextmanager
def _if_it_can_be_said() -> Iterator[None]:
    """Standard error may be a full disk: the exit code is unaffected."""
    try:
        yield
    except OSError:
        # Python would try again at exit, and replace our exit code by its own.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def _let_go_of_output(error: OSError) -> bool:
    """Whether printing failed. The pending output is then dropped, or Python would try again at
    exit."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if last is None or last.tb_frame.f_globals.get("__name__") not in (__name__, "click.utils"):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return True


def _invoke(args: list[str]) -> object:
    """As ``cli.main``, without its handling of a closed pipe (exit code 1)."""
    _check_text(args)
    if COMPLETION in os.environ:
        cli.main(args, prog_name=PROGRAM, complete_var=COMPLETION)
    with cli.make_context(PROGRAM, list(args)) as context:
        return cli.invoke(context)


def _check_text(args: list[str]) -> None:
    """Raises UsageError for bytes that the C library took for characters and Python's codec of the
    locale does not: they are neither a file name nor an intended text."""
    for place, arg in enumerate(args, 1):
        try:
            os.fsencode(arg)
        except UnicodeEncodeError as error:
            raise UsageError(
                f"argument {place} is no text in this locale ({error.encoding})",
                hint="LC_ALL=C.UTF-8 reads it as UTF-8",
            ) from None


def _show(error: click.ClickException) -> None:
    """As shown by the library, which repeats the input verbatim; made safe."""
    from fleet_tui.base.redact import redact
    from fleet_tui.core.text.firewall import safe_text

    said = "\n".join(safe_text(redact(error.format_message())))
    if isinstance(error, click.UsageError):
        click.UsageError(said, error.ctx).show()
    else:
        click.ClickException(said).show()


def _tell(message: str, hint: str = "") -> None:
    """Report why it ended; the text may quote an agent or another operator."""
    from fleet_tui.base.redact import redact
    from fleet_tui.core.text.firewall import safe_text

    first, *rest = safe_text(redact(message))
    click.echo(f"{PROGRAM}: {first}", err=True)
    for line in rest:
        click.echo(f"  {line}", err=True)
    if hint:
        click.echo("  hint: " + "\n  ".join(safe_text(redact(hint))), err=True)
