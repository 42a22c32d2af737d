"""Failures to connect to a host, as values with a stable kind.

Texts that a server sent end up in exceptions, so every detail is Untrusted.
"""

import asyncio
import errno
import os
import socket

import asyncssh
import msgspec

from fleet_tui.core.agents.vitals import FailureKind
from fleet_tui.core.text.untrusted import NOTHING_SAID, Untrusted
from fleet_tui.wire.ssh.phrases import Phrase
from fleet_tui.wire.words import words_of

_BROKEN = "what its server sends is no proper SSH"
_WORDS = {
    "Incomplete packet": "a packet ends too early",
    "Unexpected data at end of packet": "a packet is longer than what it says",
    "Max packet size exceeded": "a packet is longer than SSH allows",
}
"""Our own texts for asyncssh's most common ones."""


class SshFailure(msgspec.Struct, frozen=True, kw_only=True):
    """Why a host could not be connected to. ``kind.is_permanent``: an operator must act."""

    kind: FailureKind
    detail: Untrusted = NOTHING_SAID


class LocalSetupError(Exception):
    """The operator's own files do not allow a connection (keys, known_hosts, ssh_config)."""

    def __init__(self, kind: FailureKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def describe(error: BaseException) -> Untrusted:
    """The text of an exception, cut; its class where it has none. A system error is given without
    its number, and the library's text about a protocol error as such."""
    if broke_protocol(error):
        return words_of(broken_words(error))
    if isinstance(error, OSError) and (error.errno or 0) > 0 and error.filename is None:
        return words_of(os.strerror(error.errno or 0))
    return words_of(str(error) or type(error).__name__)


def storable(failure: SshFailure) -> SshFailure:
    """The failure with a text that UTF-8 can encode: file names may be any bytes."""
    raw = failure.detail.raw.encode("utf-8", "replace").decode()
    return SshFailure(kind=failure.kind, detail=words_of(raw))


def connect_failure(error: BaseException, *, timeout_ms: int) -> SshFailure:
    """Classify the error that ended an attempt to connect."""
    match error:
        case LocalSetupError():
            return SshFailure(kind=error.kind, detail=describe(error))
        case TimeoutError():
            return SshFailure(
                kind=FailureKind.SSH_UNREACHABLE,
                detail=words_of(f"no answer within {timeout_ms / 1000:g} s"),
            )
        case socket.gaierror():
            detail = words_of(f"the name cannot be resolved: {error.strerror}")
            return SshFailure(kind=FailureKind.SSH_UNREACHABLE, detail=detail)
        case OSError(errno=errno.EMFILE | errno.ENFILE):
            return SshFailure(kind=FailureKind.NO_DESCRIPTORS, detail=describe(error))
        case OSError(errno=int(number), filename=None):
            # "Connection refused"; asyncio's own text for it is a number and a tuple.
            detail = words_of(os.strerror(number))
            return SshFailure(kind=FailureKind.SSH_UNREACHABLE, detail=detail)
        case OSError():
            return SshFailure(kind=FailureKind.SSH_UNREACHABLE, detail=describe(error))
        case asyncssh.ChannelOpenError():
            detail = words_of(f"the jump host cannot reach it: {describe(error).raw}")
            return SshFailure(kind=FailureKind.SSH_UNREACHABLE, detail=detail)
        case asyncssh.Error() | asyncio.IncompleteReadError():
            return SshFailure(kind=_ssh_kind(error), detail=describe(error))
        case ValueError() if broke_protocol(error):
            return SshFailure(kind=FailureKind.SSH_PROTOCOL, detail=describe(error))
        case _:  # not a network error: a bug, here or in the library
            detail = words_of(f"{type(error).__name__}: {describe(error).raw}")
            return SshFailure(kind=FailureKind.INTERNAL, detail=detail)


def lost_failure(error: BaseException | None) -> SshFailure:
    """The failure for the end of an established connection: lost, unless its server broke the
    protocol."""
    if error is None:
        detail = Untrusted("the connection was closed")
        return SshFailure(kind=FailureKind.SSH_UNREACHABLE, detail=detail)
    is_broken = broke_protocol(error) or isinstance(error, asyncssh.KeyExchangeFailed)
    kind = FailureKind.SSH_PROTOCOL if is_broken else FailureKind.SSH_UNREACHABLE
    return SshFailure(kind=kind, detail=describe(error))


def broke_protocol(error: BaseException) -> bool:
    """Whether asyncssh found that what a server sent is not SSH.

    A disconnect message of the server is different, though sshd sends each of them with the code of
    a protocol error. For most unreadable input asyncssh has an error; for the rest its parser lets
    a ValueError escape.
    """
    match error:
        case (
            asyncssh.ConnectionLost()
            | asyncssh.HostKeyNotVerifiable()
            | asyncssh.IllegalUserName()
            | asyncssh.KeyExchangeFailed()
            | asyncssh.PermissionDenied()
        ):
            return False
        case asyncssh.DisconnectError() | ValueError():
            module, function = _raised_in(error)
            return module.startswith("asyncssh.") and function != "_connect"
        case _:  # not an error about the input
            return False


def _raised_in(error: BaseException) -> tuple[str, str]:
    """Module and function of the innermost code that an error passed through. A disconnect message
    is only raised, while connecting, by asyncssh's ``_connect``."""
    trace, module, function = error.__traceback__, "", ""
    while trace is not None:
        code = trace.tb_frame
        module, function = str(code.f_globals.get("__name__", "")), code.f_code.co_name
        trace = trace.tb_next
    return module, function


def broken_words(found: BaseException | str) -> str:
    """The text that a server broke the protocol, and how."""
    if isinstance(found, UnicodeError):
        return f"{_BROKEN}: text is not ASCII that has to be"
    return f"{_BROKEN}: {_WORDS.get(str(found), str(found))}"


def may_be_told(error: BaseException) -> bool:
    """Whether the first bytes of a server may explain a failure. One that only waits for us to
    begin (a mail server, a tarpit) is not a slow SSH server."""
    return cut_off(error) or isinstance(error, TimeoutError)


def cut_off(error: BaseException) -> bool:
    """Whether an attempt ended because the connection did, not because of its content."""
    match error:
        case TimeoutError():
            return False
        case asyncssh.HostKeyNotVerifiable() | asyncssh.PermissionDenied():
            return False
        case OSError() | asyncssh.Error():
            return True
        case ValueError():
            return broke_protocol(error)
        case _:  # not a network error
            return False


def _ssh_kind(error: BaseException) -> FailureKind:
    match error:
        case asyncssh.HostKeyNotVerifiable():
            return FailureKind.SSH_HOST_KEY
        case asyncssh.PermissionDenied() | asyncssh.IllegalUserName():
            return FailureKind.SSH_AUTH
        case asyncssh.KeyExchangeFailed() if Phrase.NO_HOST_KEY_IN_COMMON.is_in(error):
            # The server has no key of the kind that known_hosts has for it: the key changed.
            return FailureKind.SSH_HOST_KEY
        case asyncssh.ConnectionLost():
            return FailureKind.SSH_UNREACHABLE
        case asyncssh.DisconnectError() if Phrase.TOO_MANY_KEYS.is_in(error):
            return FailureKind.SSH_AUTH
        case _:  # the library has an error for each way to break the protocol
            return FailureKind.SSH_PROTOCOL
