"""The ssh_config of each host, as resolved by ``ssh -G`` itself.

One answer serves connections, ``check``, ``doctor``, ``trust`` and ``import``. It is cached until a
file changes. ``ssh -G`` contacts no host; it runs the commands of ``Match exec`` as ssh always
does, and queries DNS where CanonicalizeHostname is on, unless disabled.
"""

import asyncio
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from fleet_tui.core.fleet import HostSpec
from fleet_tui.core.ssh.config import (
    Complaint,
    ConfigRefusal,
    ConfigText,
    Reader,
    Resolved,
    WithoutSsh,
    parse_refusal,
    parse_settings,
    resolved_from,
)
from fleet_tui.wire import processes
from fleet_tui.wire.ssh.config_files import (
    SYSTEM_CONFIG,
    ConfigFiles,
    account_home,
    asks_for_networks,
    bad_permissions,
    copied_for,
    read_config_files,
)
from fleet_tui.wire.ssh.local_networks import in_network
from fleet_tui.wire.ssh.phrases import Phrase

AT_ONCE = 4
TIMEOUT_S = 10.0
LAST_WORDS_WITHIN_S = 0.5
"""Wait for output that a child of ssh still holds open."""
MAX_OUTPUT_BYTES = 1_048_576
LOOK_AGAIN_AFTER_S = 1.0
"""Files are checked again after this long, so that a thousand hosts cost one check."""
VOLATILE_FOR_S = 10.0
"""How long an answer is valid that depends on programs or networks, or that failed for lack of
resources on this machine."""
MAX_KNOWN = 50_000
DEFAULT_PORT = 22

_NAMELESS = "localhost"
"""Placeholder for any host where all have the same settings."""

ResolverAnswer = Resolved | ConfigRefusal
_Key = tuple[str, str | None, int | None]


@dataclass(slots=True)
class _Copies:
    key: tuple[int, str, bool]
    files: ConfigFiles
    stack: ExitStack
    top: Path
    names: dict[str, str]
    users: int = 0


class SshResolver:
    """Asks ``ssh -G`` about hosts and remembers the answers. For one event loop at a time."""

    def __init__(
        self,
        *,
        config: Path | None = None,
        program: str | None = None,
        canonicalize: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``config`` replaces ``~/.ssh/config``, ``program`` is another ssh. Without
        ``canonicalize`` no name is resolved, whatever CanonicalizeHostname is set to."""
        self._config = config
        self._program = program or shutil.which("ssh")
        self.without_ssh: WithoutSsh | None = None
        """Why ``ssh`` cannot be used; asyncssh's own reader understands less."""
        if self._program is None:
            self.without_ssh = WithoutSsh.NO_PROGRAM
        elif program is None and account_home() is None:
            self._program, self.without_ssh = None, WithoutSsh.NO_ACCOUNT
        self._canonicalize = canonicalize
        self._clock = clock
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._looking = asyncio.Lock()
        self._files: ConfigFiles | None = None
        self._looked_at_s = 0.0
        self._asking_usual = asyncio.Lock()
        self._usual: dict[str, tuple[str, ...]] | None = None
        self.decides_networks = False
        """Whether this ssh is too old for Match localnetwork, so that it is evaluated here."""
        self._copies: _Copies | None = None
        self._known: dict[_Key, tuple[float, ResolverAnswer]] = {}
        self._asking: dict[_Key, asyncio.Task[ResolverAnswer]] = {}

    async def resolve(self, spec: HostSpec) -> ResolverAnswer:
        """How a host is to be reached; the fleet file's user, port and ``jump: none`` take
        precedence."""
        answer = await self._resolve(spec)
        return _straight(answer) if spec.direct and isinstance(answer, Resolved) else answer

    async def _resolve(self, spec: HostSpec) -> ResolverAnswer:
        if not spec.use_ssh_config:
            return _plain(spec)
        files = await self._current()
        if not files.contents and not files.text.unread:
            return _plain(spec)
        if self._program is not None and not files.text.tells_hosts_apart:
            shared = await self._ask_once((_NAMELESS, None, None), files)
            return _as_if_for(spec, shared) if isinstance(shared, Resolved) else shared
        return await self._ask_once((spec.address, spec.user, spec.port), files)

    async def resolve_all(self, specs: Iterable[HostSpec]) -> list[ResolverAnswer]:
        """The same for many, in their order."""
        return list(await asyncio.gather(*map(self.resolve, specs)))

    async def text(self) -> ConfigText:
        """The lines of the files, for messages."""
        return (await self._current()).text

    async def _ask_once(self, key: _Key, files: ConfigFiles) -> ResolverAnswer:
        """One query at a time for each host, and none while the last answer is valid."""
        if (known := self._known.get(key)) is not None and self._clock() < known[0]:
            return known[1]
        asking = self._asking.get(key)
        if asking is None:
            asking = asyncio.create_task(self._answer(key, files), name=f"ssh -G {key[0]}")
            self._asking[key] = asking
            asking.add_done_callback(lambda _: self._asking.pop(key, None))
        return await asyncio.shield(asking)

    async def _answer(self, key: _Key, files: ConfigFiles) -> ResolverAnswer:
        if self._program is None:
            from fleet_tui.wire.ssh.fallback import (  # noqa: PLC0415 - loads asyncssh
                resolved_by_asyncssh,
            )

            answer = await asyncio.to_thread(resolved_by_asyncssh, files.roots[0], *key)
        else:
            answer = await self._ask(key, files)
        if self._files is files:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            passing = isinstance(answer, ConfigRefusal) and answer.is_passing
            volatile = passing or files.text.changes_by_itself
            holds_s = VOLATILE_FOR_S if volatile else float("inf")
            self._known[key] = (self._clock() + holds_s, answer)
        return answer

    async def _ask(self, key: _Key, files: ConfigFiles) -> ResolverAnswer:
        address, user, port = key
        arguments = [] if self._canonicalize else ["-o", "CanonicalizeHostname=no"]
        arguments += ["-l", user] if user is not None else []
        arguments += ["-p", str(port)] if port is not None else []
        arguments += ["--", address]
        output = await self._run_on(files, arguments)
        if (
            isinstance(output, ConfigRefusal)
            and not self.decides_networks
            and Phrase.NO_LOCALNETWORK.is_in(output)
            and any(map(asks_for_networks, files.text.lines))
        ):
            self.decides_networks = True
            output = await self._run_on(files, arguments)
        if isinstance(output, ConfigRefusal) and Phrase.NEEDS_COMMAND.is_in(output):
            output = await self._run_on(files, ["-N", *arguments])
        if isinstance(output, ConfigRefusal):
            return output
        usual = await self._what_is_usual()
        if isinstance(usual, ConfigRefusal):
            return usual
        try:
            return resolved_from(address, parse_settings(output), usual)
        except ValueError as error:
            return ConfigRefusal((Complaint(str(error)),))

    async def _run_on(self, files: ConfigFiles, arguments: Sequence[str]) -> bytes | ConfigRefusal:
        """Run ssh on the operator's files, or on copies where it would not find or read them."""
        home = Path.home()
        if home == account_home() and not self.decides_networks:
            where = ["-F", files.roots[0]] if self._config else []
            async with self._slots:
                return await self._run([*where, *arguments])
        if (name := bad_permissions(files)) is not None and not self._config:
            return ConfigRefusal((Complaint(f"Bad owner or permissions on {name}"),))
        with self._copied(files, home) as (copy, names):
            async with self._slots:
                return await self._run(["-F", str(copy), *arguments], names)

    @contextmanager
    def _copied(self, files: ConfigFiles, home: Path) -> Iterator[tuple[Path, dict[str, str]]]:
        """Copies shared by concurrent callers; the last one removes them."""
        copies = self._copies
        key = (id(files), str(home), self.decides_networks)
        if copies is None or copies.key != key:
            stack = ExitStack()
            decide = in_network if self.decides_networks else None
            made = stack.enter_context(copied_for(files, home, decide))
            copies = self._copies = _Copies(key, files, stack, *made)
        copies.users += 1
        try:
            yield copies.top, copies.names
        finally:
            copies.users -= 1
            if copies.users == 0:
                copies.stack.close()
                if self._copies is copies:
                    self._copies = None

    async def _what_is_usual(self) -> dict[str, tuple[str, ...]] | ConfigRefusal:
        """The output of this ssh without any file."""
        async with self._asking_usual:
            if self._usual is None:
                output = await self._run(["-F", "none", "--", _NAMELESS])
                if isinstance(output, ConfigRefusal):
                    return output
                try:
                    self._usual = parse_settings(output)
                except ValueError as error:
                    return ConfigRefusal((Complaint(str(error)),))
            return self._usual

    async def _run(
        self, arguments: Sequence[str], names: Mapping[str, str] | None = None
    ) -> bytes | ConfigRefusal:
        """Run ``ssh -G``: its output, or its complaints."""
        assert self._program is not None
        try:
            process = await processes.start(
                self._program, "-G", *arguments, stderr=asyncio.subprocess.PIPE
            )
        except (OSError, ValueError) as error:
            return _passing(f"{self._program} cannot be started: {error}")
        try:
            async with asyncio.timeout(TIMEOUT_S):
                said, words = await _read_both(process)
        except TimeoutError:
            return _passing(f"ssh -G did not end within {TIMEOUT_S:g} s")
        finally:  # with everything that a Match exec has started
            await processes.end(process)
        if len(said) > MAX_OUTPUT_BYTES:
            return ConfigRefusal((Complaint(f"ssh -G wrote more than {MAX_OUTPUT_BYTES} bytes"),))
        assert process.returncode is not None
        if process.returncode < 0:
            return _passing(f"ssh -G was ended by signal {-process.returncode}")
        if process.returncode == 0:
            return said
        refusal = parse_refusal(words, names)
        return msgspec.structs.replace(refusal, is_passing=Phrase.NO_ADDRESS.is_in(refusal))

    async def _current(self) -> ConfigFiles:
        """The files as of now, or of a moment ago."""
        async with self._looking:
            now_s = self._clock()
            if self._files is None or now_s - self._looked_at_s >= LOOK_AGAIN_AFTER_S:
                found = await asyncio.to_thread(self._look, self._files)
                if found is not self._files:
                    self._known.clear()
                    self._files = found
                self._looked_at_s = now_s
            return self._files

    def _look(self, before: ConfigFiles | None) -> ConfigFiles:
        if before is not None and before.is_current():
            return before
        home = Path.home()
        user = self._config or home / ".ssh" / "config"
        return read_config_files(user, home, None if self._config else SYSTEM_CONFIG)


def _passing(why: str) -> ConfigRefusal:
    return ConfigRefusal((Complaint(why),), is_passing=True)


async def _read_both(process: asyncio.subprocess.Process) -> tuple[bytes, bytes]:
    """A bounded part of its output; output that its children hold open is not waited for."""
    said, words = bytearray(), bytearray()
    assert process.stdout is not None
    assert process.stderr is not None
    readers = [
        asyncio.create_task(_keep(process.stdout, said)),
        asyncio.create_task(_keep(process.stderr, words)),
    ]
    try:
        await process.wait()
        await asyncio.wait(readers, timeout=LAST_WORDS_WITHIN_S)
    finally:
        for reader in readers:
            reader.cancel()
    return bytes(said), bytes(words)


async def _keep(stream: asyncio.StreamReader, kept: bytearray) -> None:
    while chunk := await stream.read(65_536):
        if len(kept) <= MAX_OUTPUT_BYTES:
            kept += chunk


def _plain(spec: HostSpec) -> Resolved:
    """A host without settings in any file."""
    return Resolved(
        original=spec.address,
        hostname=spec.address,
        port=spec.port if spec.port is not None else DEFAULT_PORT,
        user=spec.user,
        reader=Reader.NOBODY,
    )


def _straight(host: Resolved) -> Resolved:
    """The settings without the jumps and proxy of ssh_config."""
    ways = ("proxyjump", "proxycommand", "proxyusefdpass")
    said = {keyword: lines for keyword, lines in host.said.items() if keyword not in ways}
    return msgspec.structs.replace(host, said=said)


def _as_if_for(spec: HostSpec, shared: Resolved) -> Resolved:
    """The settings common to every host, for this one. ssh(1) uses names in lower case."""
    return msgspec.structs.replace(
        shared,
        original=spec.address,
        hostname=spec.address.lower(),
        port=spec.port if spec.port is not None else shared.port,
        user=spec.user if spec.user is not None else shared.user,
    )
