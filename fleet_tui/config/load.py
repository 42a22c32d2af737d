"""``fleet.yaml`` to :class:`FleetSpec`: read, validate, resolve, and report all problems at once.

Reading the file is the only IO. Nothing of it is ever executed, and a problem anywhere means that
no part of the file is used.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fleet_tui.base.children import withhold, withhold_named
from fleet_tui.base.errors import InvalidConfig
from fleet_tui.base.files import read_regular
from fleet_tui.config.identities import judge_identities
from fleet_tui.config.lint import lint
from fleet_tui.config.problems import Problem, ProblemSeverity, Source, as_text, summary
from fleet_tui.config.reader import MAX_FILE_BYTES, Node, decode, find_key, read
from fleet_tui.config.resolve import Meant, resolve
from fleet_tui.config.validate import validate
from fleet_tui.core.fleet import FleetSpec, HostSpec

_NOTHING = Meant(None, ())


@dataclass(frozen=True, slots=True)
class Loaded:
    """A fleet file that can be used."""

    spec: FleetSpec
    warnings: tuple[Problem, ...]
    """Warnings and notes, in the file's order."""
    agent_lines: Mapping[str, int]
    """The line of each agent in the file, for later messages."""


class InvalidFleet(InvalidConfig):
    """The fleet file cannot be used."""

    def __init__(
        self,
        name: str,
        problems: tuple[Problem, ...],
        not_kept: int = 0,
        hosts: tuple[HostSpec, ...] = (),
    ) -> None:
        """``problems`` in the file's order; ``not_kept`` more were only counted. ``hosts``: those
        that could be read all the same."""
        self.hosts = hosts
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
    data = _bytes_of(path)
    try:
        loaded = _load(str(path), data, env, look_at_keys=True)
    except InvalidFleet:
        withhold_named(data.decode("utf-8", "replace"))  # for callers that run ssh
        raise
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
    root, meant = None, _NOTHING
    if not source.errors:
        root = read(source)
        meant = _understand(source, root, data, env, look_at_keys)
    problems, spec = source.in_order(), meant.spec
    if source.errors or spec is None:
        raise InvalidFleet(name, problems, source.not_kept, meant.hosts)
    keys = {agent: find_key(root, ("agents", agent)) for agent in spec.agents}
    return Loaded(spec, problems, {agent: key.mark.line for agent, key in keys.items() if key})


def _understand(
    source: Source, root: Node | None, data: bytes, env: Mapping[str, str], look_at_keys: bool
) -> Meant:
    if root is None:
        if not source.errors:
            source.error(
                None, "the file is empty: no agents", hint="`fleet-tui init` writes a start"
            )
        return _NOTHING
    valid = validate(source, root, env)
    if valid is None:
        return _NOTHING
    home = env.get("HOME")
    meant = resolve(
        source,
        root,
        valid,
        digest=hashlib.sha256(data).hexdigest(),
        home=Path(home) if home else None,
    )
    if meant.spec:
        lint(source, root, meant.spec)
    if meant.spec and look_at_keys:
        judge_identities(source, root, meant.spec)
    return meant if valid.whole else Meant(None, _sure_hosts(source, meant.hosts))


def _sure_hosts(source: Source, hosts: tuple[HostSpec, ...]) -> tuple[HostSpec, ...]:
    """Hosts of which nothing had to be left out."""
    wrong = [problem.path for problem in source.problems]
    if source.full or any(_is_about(path, "defaults") or path == "hosts" for path in wrong):
        return ()
    names = sorted((host.name for host in hosts), key=len, reverse=True)
    # Names hold dots too: ``hosts.web.eu.port`` is about web.eu where there is one, and not web.
    owners = {
        next((name for name in names if _is_about(path, f"hosts.{name}")), None) for path in wrong
    }
    return tuple(host for host in hosts if host.name not in owners)


def _is_about(path: str, place: str) -> bool:
    return path == place or path.startswith((f"{place}.", f"{place}["))


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
