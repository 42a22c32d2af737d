"""Messages of other SSH programs that are the only sign of what went wrong.

Neither asyncssh nor OpenSSH has a code for these cases, so the message decides; every such decision
is here. ``tests/wire/test_ssh_phrases.py`` finds each phrase of asyncssh in the release that is
installed; the others are met in tests with a real sshd and a real ``ssh -G``.
"""

from enum import Enum


class Phrase(Enum):
    """A part of a message, in lower case."""

    # asyncssh
    PASSPHRASE = "passphrase must be specified"  # noqa: S105 - a message, not a secret
    REVOKED = "key is revoked"
    CERTIFICATE_EXPIRED = "certificate expired"
    CERTIFICATE_NOT_YET_VALID = "certificate not yet valid"
    OTHER_PRINCIPAL = "certificate principal mismatch"
    OTHER_AUTHORITY = "host ca key is not trusted"
    NO_HOST_KEY_IN_COMMON = "host key"

    # sshd of OpenSSH, which hangs up because of MaxAuthTries
    TOO_MANY_KEYS = "too many authentication failures"

    # ssh of OpenSSH
    NO_LOCALNETWORK = "unsupported match attribute localnetwork"
    NEEDS_COMMAND = "cannot fork into background without a command"
    """For a host with ForkAfterAuthentication: ssh requires a command, or none at all (-N)."""
    NO_ADDRESS = "could not resolve host "
    """With CanonicalizeHostname ssh resolves names, and exits where it may not continue without."""

    def is_in(self, said: object) -> bool:
        """Whether an error, or what a program wrote, says it."""
        return self.value in str(said).lower()
