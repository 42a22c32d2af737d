"""``fleet.yaml`` to :class:`FleetSpec`: read, validate, resolve, and say everything at once.

Reading the file is the only IO. Nothing of it is ever executed, and a problem anywhere means that
no part of the file is used.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fleet_tui.base.children import withhold
from fleet_tui.base.errors import InvalidConfig
from fleet_tui.base.files import read_regular
from fleet_tui.config.identities import judge_identities
from fleet_tui.config.lint import lint
from fleet_tui.config.problems import Problem, ProblemSeverity, Source, as_text, summary
from fleet_tui.config.reader import MAX_FILE_BYTES, Node, decode, find_key, read
from fleet_tui.config.resolve import resolve
from fleet_tui.config.validate import validate
from fleet_tui.core.fleet import FleetSpec


@dataclass(frozen=True, slots=True)
class Loaded:
    """A fleet file that can be used."""

    spec: FleetSpec
    warnings: tuple[Problem, ...]
    """Warnings and notes, in the file's order."""
    agent_lines: Mapping[str, int]
    """Where each agent stands in the file, for messages that come later."""


class InvalidFleet(InvalidConfig):
    """The fleet file cannot be used."""

    def __init__(self, name: str, problems: tuple[Problem, ...], not_kept: int = 0) -> None:
        """``problems`` in the file's order; ``not_kept`` more were only counted."""
        self.problems = problems
        self.not_kept = not_kept
        self.name = name
        counted = summary(problems, not_kept)
        shown = "\n".join(as_text(each) for each in problems)
        super().__init__(f"{shown}\n{counted}. Nothing was started.")


def load_fleet(path: Path, env: Mapping[str, str]) -> Loaded:
    """Read a fleet file. ``env`` fills ``${NAME}`` and says what ``~`` is (HOME).

    No program that is started from now on gets the variables that its references name.

    Raises InvalidFleet with every problem; a file that cannot be read is one of them.
    """
    loaded = _load(str(path), _bytes_of(path), env, look_at_keys=True)
    withhold(loaded.spec)
    return loaded


def load_text(text: str, name: str = "fleet.yaml", env: Mapping[str, str] | None = None) -> Loaded:
    """The same for text that is no file, and without looking at key files.

    Raises InvalidFleet with every problem.
    """
    return load_bytes(text.encode("utf-8", "surrogatepass"), name, env)


def load_bytes(
    data: bytes, name: str = "fleet.yaml", env: Mapping[str, str] | None = None
) -> Loaded:
    """The same for bytes. Raises InvalidFleet with every problem."""
    return _load(name, data, env or {}, look_at_keys=False)


def _load(name: str, data: bytes, env: Mapping[str, str], *, look_at_keys: bool) -> Loaded:
    source = decode(name, data)
    root, spec = None, None
    if not source.errors:
        root = read(source)
        spec = _understand(source, root, data, env, look_at_keys)
    problems = source.in_order()
    if source.errors or spec is None:
        raise InvalidFleet(name, problems, source.not_kept)
    keys = {agent: find_key(root, ("agents", agent)) for agent in spec.agents}
    return Loaded(spec, problems, {agent: key.mark.line for agent, key in keys.items() if key})


def _understand(
    source: Source, root: Node | None, data: bytes, env: Mapping[str, str], look_at_keys: bool
) -> FleetSpec | None:
    if root is None:
        if not source.errors:
            source.error(
                None, "the file is empty: no agents", hint="`fleet-tui init` writes a start"
            )
        return None
    valid = validate(source, root, env)
    if valid is None:
        return None
    home = env.get("HOME")
    spec = resolve(
        source,
        root,
        valid,
        digest=hashlib.sha256(data).hexdigest(),
        home=Path(home) if home else None,
    )
    if spec:
        lint(source, root, spec)
    if spec and look_at_keys:
        judge_identities(source, root, spec)
    return spec


def _bytes_of(path: Path) -> bytes:
    """A file's content, at most one byte more than is allowed."""
    try:
        return read_regular(path, MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise _unreadable(
            path, "no such file", "`fleet-tui init` writes one, `fleet-tui demo` needs none"
        ) from None
    except OSError as refused:
        raise _unreadable(path, refused.strerror or "cannot be read") from None


def _unreadable(path: Path, reason: str, hint: str = "") -> InvalidFleet:
    source = Source(str(path), "")
    source.add(ProblemSeverity.ERROR, None, reason, hint=hint)
    return InvalidFleet(str(path), source.in_order())
