"""The aliases of an ssh_config. Only the alias is kept, so SSH goes on applying all it says."""

import fnmatch
from pathlib import Path

from fleet_tui.config.importers.found import DEFAULT_POOL, Findings, FoundHost
from fleet_tui.config.ssh_config import read_ssh_config


def read_aliases(path: Path, home: Path, *, match: str = "*", pool: str = DEFAULT_POOL) -> Findings:
    """The concrete ``Host`` aliases that a glob matches; wildcards and negations are none."""
    config = read_ssh_config(path, home)
    return Findings(
        [
            FoundHost(alias=alias, pool=pool)
            for alias in config.aliases
            if fnmatch.fnmatchcase(alias, match)
        ],
        list(config.unread),
    )
