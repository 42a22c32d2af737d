import errno
import fcntl
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from fleet_tui.base.errors import FleetError
from fleet_tui.core.ids import Seq
from fleet_tui.journal.directory import (
    LOCK_NAME,
    EngineLock,
    check,
    create_private,
    file_system,
    holder_now,
    in_words,
    is_network,
    lock_holder,
    open_there,
    prepare,
)
from fleet_tui.journal.errors import JournalInUse, JournalMissing, LockHolder, UnsafeDirectory
from fleet_tui.journal.ledger.chain import read_head
from fleet_tui.journal.ledger.holding import proven_holder
from fleet_tui.journal.ledger.lockers import is_locked
from fleet_tui.journal.ledger.snapshots import read_snapshot, snapshot_path
from fleet_tui.journal.ledger.verifying import verify
from fleet_tui.journal.ledger.wal import dropped

MOUNTS = r"""21 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 21 0:26 / /home rw shared:5 - nfs4 server:/home rw
31 30 0:27 / /home/ana/disk rw - xfs /dev/sdb rw
32 21 0:28 / /mnt/with\040space rw - fuse.sshfs host:/ rw
33 21 0:29 / /mnt/usb rw - fuseblk /dev/sdc rw
nonsense
"""


READERS: dict[str, Callable[[Path], object]] = {
    "who has the lock": lock_holder,
    "who has it for certain": proven_holder,
    "the lock": lambda where: EngineLock(where, holder_now(1, lambda: 0)),
    "the head": read_head,
    "the log": dropped,
    "a snapshot": lambda where: read_snapshot(where, 1, b""),
    "a lock of others": lambda where: is_locked(where / "events-1.db"),
    "proof": verify,
}
NAMES = (LOCK_NAME, "head", "events-1.db", "events-1.db-wal", "events-1.db-shm", "snapshot-1")


@pytest.mark.timeout(20)
@pytest.mark.parametrize("reader", READERS)
def test_nobody_waits_for_the_other_end_of_a_pipe(reader: str, tmp_path: Path) -> None:
    """In the place of each file that is read of a state directory."""
    for name in (*NAMES, snapshot_path(tmp_path, Seq(1)).name):
        os.mkfifo(tmp_path / name, 0o600)
    with suppress(OSError, ValueError, FleetError):
        READERS[reader](tmp_path)


def test_the_directory_is_made_private(tmp_path: Path) -> None:
    prepare(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700


def test_what_others_could_read_is_refused_with_the_remedy(tmp_path: Path) -> None:
    open_directory = tmp_path / "open"
    open_directory.mkdir()
    open_directory.chmod(0o755)  # whatever the umask is
    with pytest.raises(UnsafeDirectory, match=r"mode 0755, .* 0700 is allowed") as refused:
        prepare(open_directory)
    assert refused.value.hint == f"chmod 700 {open_directory}"
    prepare(tmp_path / "state")
    file = tmp_path / "state" / "events-1.db"
    file.touch()
    file.chmod(0o640)
    with pytest.raises(UnsafeDirectory, match=r"events-1\.db has mode 0640"):
        check(tmp_path / "state")


def test_links_are_not_followed(tmp_path: Path) -> None:
    prepare(tmp_path / "state")
    (tmp_path / "link").symlink_to(tmp_path / "state")
    with pytest.raises(UnsafeDirectory, match="links are not followed"):
        check(tmp_path / "link")
    (tmp_path / "state" / "head").symlink_to("/etc/passwd")
    with pytest.raises(UnsafeDirectory, match="is a link"):
        check(tmp_path / "state")


def test_a_directory_where_the_lock_belongs_is_told_as_that(tmp_path: Path) -> None:
    directory = tmp_path / "state"
    prepare(directory)
    (directory / LOCK_NAME).mkdir()
    with pytest.raises(UnsafeDirectory, match=r"engine\.lock is not a file") as refused:
        check(directory)
    assert refused.value.hint == f"move {directory / LOCK_NAME} away"


@pytest.mark.parametrize("name", ["events-0000000000000001.db", "head", "x-wal", "anything"])
def test_a_pipe_is_not_read_for_ever(tmp_path: Path, name: str) -> None:
    directory = tmp_path / "state"
    prepare(directory)
    os.mkfifo(directory / name, 0o600)
    with pytest.raises(UnsafeDirectory, match=f"{name} is a pipe or a device") as refused:
        check(directory)
    assert refused.value.hint == f"move {directory / name} away"


def test_another_owner_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(tmp_path / "state")
    real = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: real + 1)
    with pytest.raises(UnsafeDirectory, match=f"belongs to user {real}, not to {real + 1}"):
        check(tmp_path / "state")


def test_no_directory_and_no_way_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(JournalMissing):
        check(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(UnsafeDirectory, match="cannot make"):
        prepare(tmp_path / "file" / "state")
    with pytest.raises(UnsafeDirectory, match=r"cannot make|not a directory"):
        prepare(tmp_path / "file")


@pytest.mark.parametrize(
    ("path", "kind", "network"),
    [
        ("/var/lib", "ext4", False),
        ("/home/ana", "nfs4", True),
        ("/home/ana/disk/state", "xfs", False),
        ("/mnt/with space/x", "fuse.sshfs", True),
        ("/mnt/usb", "fuseblk", False),
        ("/homestead", "ext4", False),
    ],
)
def test_network_disks_are_recognised(tmp_path: Path, path: str, kind: str, network: bool) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)
    assert file_system(Path(path), mounts) == kind
    assert is_network(kind) is network


def test_a_network_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(tmp_path / "state")
    monkeypatch.setattr("fleet_tui.journal.directory.file_system", lambda _: "cifs")
    with pytest.raises(UnsafeDirectory, match=r"network file system \(cifs\)"):
        check(tmp_path / "state")


def test_a_system_that_does_not_tell_its_mounts_is_believed(tmp_path: Path) -> None:
    assert file_system(tmp_path, tmp_path / "none") == ""
    assert not is_network("")


def test_a_private_file_never_replaces_one(tmp_path: Path) -> None:
    os.close(create_private(tmp_path / "x"))
    with pytest.raises(FileExistsError):
        create_private(tmp_path / "x")


def test_the_lock_names_its_holder_and_is_free_again(tmp_path: Path) -> None:
    first = EngineLock(tmp_path, LockHolder(pid=12, host="bastion", since_ms=1_795_000_000_000))
    with pytest.raises(JournalInUse, match="pid 12 on bastion since 2026-11-18") as refused:
        EngineLock(tmp_path, holder_now(13, lambda: 0))
    assert refused.value.holder == LockHolder(pid=12, host="bastion", since_ms=1_795_000_000_000)
    first.release()
    first.release()
    EngineLock(tmp_path, holder_now(13, lambda: 0)).release()


def test_a_lock_whose_holder_cannot_be_written_is_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    EngineLock(tmp_path, holder_now(1, lambda: 0)).release()

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr("fleet_tui.journal.directory.os.pwrite", full)
        with pytest.raises(OSError, match="No space left"):
            EngineLock(tmp_path, holder_now(2, lambda: 0))
    assert b'"pid":1' in (tmp_path / LOCK_NAME).read_bytes()
    EngineLock(tmp_path, holder_now(3, lambda: 0)).release()


def test_somebody_who_only_looks_does_not_keep_an_engine_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    EngineLock(tmp_path, holder_now(1, lambda: 0)).release()
    looking = open_there(tmp_path / LOCK_NAME)
    fcntl.flock(looking, fcntl.LOCK_SH | fcntl.LOCK_NB)
    monkeypatch.setattr(
        "fleet_tui.journal.directory.time.sleep", lambda _: fcntl.flock(looking, fcntl.LOCK_UN)
    )
    EngineLock(tmp_path, holder_now(2, lambda: 0)).release()
    os.close(looking)


def test_a_child_does_not_inherit_the_lock(tmp_path: Path) -> None:
    first = EngineLock(tmp_path, holder_now(1, lambda: 0))
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        first.release()
        EngineLock(tmp_path, holder_now(2, lambda: 0)).release()
    finally:
        child.communicate(b"\n")


def test_a_child_that_was_given_the_lock_does_not_keep_it_from_the_next_engine(
    tmp_path: Path,
) -> None:
    first = EngineLock(tmp_path, holder_now(1, lambda: 0))
    child = subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=(first._file,)
    )
    try:
        with pytest.raises(JournalInUse):
            EngineLock(tmp_path, holder_now(2, lambda: 0))
        first.release()
        EngineLock(tmp_path, holder_now(2, lambda: 0)).release()
    finally:
        child.communicate(b"\n")


def test_a_lock_whose_file_was_removed_or_replaced_is_not_ours(tmp_path: Path) -> None:
    first = EngineLock(tmp_path, holder_now(1, lambda: 0))
    assert first.is_ours
    assert (
        lock_holder(tmp_path)
        == "pid 1 on " + socket.gethostname() + " since 1970-01-01 00:00:00 UTC"
    )
    (tmp_path / LOCK_NAME).unlink()
    assert not first.is_ours
    assert lock_holder(tmp_path) is None
    second = EngineLock(tmp_path, holder_now(2, lambda: 0))
    assert second.is_ours
    assert not first.is_ours
    first.release()
    second.release()
    assert lock_holder(tmp_path) is None


def test_a_holder_that_cannot_be_read_is_said_so() -> None:
    assert in_words(None) == "it did not say who it is"
    assert "impossible date" in in_words(LockHolder(pid=1, host="h", since_ms=2**62))
