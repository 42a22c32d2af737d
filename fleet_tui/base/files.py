"""Reads files that were named or may have been replaced by others: regular ones only, because a
pipe may block for ever and a device may never end."""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO


class NotRegular(OSError):
    """A directory, a pipe, a device or a socket stands there."""


def open_regular(path: str | Path) -> BinaryIO:
    """A regular file, to be read; close it. Never waits.

    Raises NotRegular for any other file, and OSError.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError:
        raise OSError(errno.EINVAL, "not a usable file name") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotRegular(errno.EINVAL, "not a regular file")
    return os.fdopen(descriptor, "rb")


def read_regular(path: str | Path, limit_bytes: int = -1) -> bytes:
    """The content of a regular file, ``limit_bytes`` of it; all by default. Raises OSError as
    :func:`open_regular` does."""
    with open_regular(path) as file:
        return file.read(limit_bytes)
