"""Finds the unusable keys and certificates of a host before connecting to it."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from fleet_tui.core.fleet import HostSpec
from fleet_tui.core.ssh.config import Resolved
from fleet_tui.wire.ssh.named_keys import named_keys, shows_only_named
from fleet_tui.wire.ssh.surroundings import named_files

if TYPE_CHECKING:
    from fleet_tui.wire.ssh.options import SshFiles

Doubt = tuple[str, Path | None, str]
"""A keyword, its file and the reason."""

Judged = tuple[tuple[tuple[str, str], ...], tuple[Doubt, ...]]
"""Problems that prevent a login, keyword and reason; and those that may."""


class KeyJudge:
    """Reads each key once, as for a connection, however many hosts it is for."""

    def __init__(self) -> None:
        self._files: SshFiles | None = None

    def judge(self, spec: HostSpec, host: Resolved) -> Judged:
        """Check the keys that one host names."""
        try:
            if not _is_to_be_read(spec, host):
                return (), ()
            return self._read(spec, host)
        except ValueError:  # for its tokens, which are reported elsewhere
            return (), ()

    def _read(self, spec: HostSpec, host: Resolved) -> Judged:
        # check is quick: asyncssh is loaded only where there is a key to read.
        from fleet_tui.wire.ssh.identities import IdentityError  # noqa: PLC0415 - loads asyncssh
        from fleet_tui.wire.ssh.options import SshFiles  # noqa: PLC0415 - loads asyncssh

        if self._files is None:
            self._files = SshFiles()
        try:
            shown = self._files.identities(spec, host)
        except IdentityError as error:
            # A name in the fleet file is not a line of ssh_config that could be refused.
            if error.is_for_here or spec.identity is not None:
                return (), ((error.keyword, error.file, str(error)),)
            return ((error.keyword, str(error)),), ()
        return (), tuple(
            (each.keyword, each.file, f"{each.file} is passed over: {each.why}")
            for each in shown.passed_over
        )


def _is_to_be_read(spec: HostSpec, host: Resolved) -> bool:
    is_any_there = any(map(os.path.exists, named_keys(spec, host)[1]))
    if spec.identity is not None and not is_any_there:
        return False  # reported by the reader of the fleet file
    return (
        is_any_there or shows_only_named(spec, host) or bool(named_files(host, "certificatefile"))
    )
