"""The state folder: private, written whole, never overwritten."""

import errno
import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from signaling.host import state_folder
from signaling.setup_error import SetupError
from tests.at_once import READY, run_at_once

STARTED_AT_ONCE = 6

not_as_root = pytest.mark.skipif(
    hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may read and write everything"
)

as_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may give files away"
)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def not_empty(data: bytes) -> bytes:
    if not data:
        raise ValueError("it is empty")
    return data


def read_or_create(path: Path, make: Callable[[], bytes]) -> bytes:
    return state_folder.read_or_create(path, make, not_empty, "Remove it.")


def test_folder_follows_xdg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The state folder is `lenscast` in XDG_STATE_HOME, and the first call creates it."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    folder = state_folder.locate()
    assert folder == tmp_path / "xdg" / "lenscast"
    assert folder.is_dir()


def test_folder_is_private(tmp_path: Path) -> None:
    """A new folder has mode 0700."""
    assert mode(state_folder.prepare_folder(tmp_path / "new")) == 0o700


def test_open_folder_is_closed(tmp_path: Path) -> None:
    """A folder that other users could enter is closed to them."""
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o755)
    state_folder.prepare_folder(folder)
    assert mode(folder) == 0o700


def test_folder_that_is_a_file(tmp_path: Path) -> None:
    """A file in place of the folder is reported with its path."""
    (tmp_path / "state").touch()
    with pytest.raises(SetupError, match=str(tmp_path / "state")):
        state_folder.prepare_folder(tmp_path / "state")


def test_secret_is_kept(tmp_path: Path) -> None:
    """The secret has 32 bytes and mode 0600, and is the same on the next run."""
    secret = state_folder.load_secret(tmp_path)
    assert len(secret) == 32
    assert mode(tmp_path / "secret") == 0o600
    assert state_folder.load_secret(tmp_path) == secret


def test_open_secret_is_closed(tmp_path: Path) -> None:
    """A secret that others could read, for example from a backup, is closed to them and used."""
    secret = state_folder.load_secret(tmp_path)
    (tmp_path / "secret").chmod(0o644)
    assert state_folder.load_secret(tmp_path) == secret
    assert mode(tmp_path / "secret") == 0o600


def test_file_that_cannot_be_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that cannot be closed to others is reported with its path. The fault is simulated."""
    state_folder.load_secret(tmp_path)
    (tmp_path / "secret").chmod(0o644)

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "chmod", refuse)
    with pytest.raises(SetupError, match=f"{tmp_path / 'secret'} can be read by other users"):
        state_folder.load_secret(tmp_path)


def test_secrets_differ(tmp_path: Path) -> None:
    """Two folders have two secrets."""
    assert state_folder.load_secret(tmp_path / "a") != state_folder.load_secret(tmp_path / "b")


@pytest.mark.parametrize("length", [0, 31, 33])
def test_damaged_secret(tmp_path: Path, length: int) -> None:
    """A secret of the wrong length is reported with its path and what to do, and is not changed."""
    path = tmp_path / "secret"
    path.write_bytes(b"x" * length)
    with pytest.raises(SetupError, match="Remove it and start again") as caught:
        state_folder.load_secret(tmp_path)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == b"x" * length


def test_folder_in_place_of_file(tmp_path: Path) -> None:
    """A folder in place of the file is reported with its path."""
    (tmp_path / "secret").mkdir()
    with pytest.raises(SetupError, match=f"{tmp_path / 'secret'} cannot be read"):
        state_folder.load_secret(tmp_path)


@as_root
def test_folder_within_that_of_another_user(tmp_path: Path) -> None:
    """Who owns a folder above can put another one in its place: it is reported."""
    home = tmp_path / "ann"
    (home / ".local").mkdir(parents=True)
    os.chown(home, 12345, 12345)
    with pytest.raises(SetupError, match=f"lies in {home}, whose owner is another user"):
        state_folder.prepare_folder(home / ".local" / "lenscast")
    os.chown(home, state_folder.OVERFLOW_USER, 0)
    state_folder.prepare_folder(home / ".local" / "lenscast")


@not_as_root
def test_forbidden_file(tmp_path: Path) -> None:
    """A file of another user is reported with its path."""
    (tmp_path / "secret").touch(mode=0)
    with pytest.raises(SetupError, match="cannot be read"):
        state_folder.load_secret(tmp_path)


def test_missing_folder(tmp_path: Path) -> None:
    """A file that cannot be written is reported with its path."""
    with pytest.raises(SetupError, match=f"{tmp_path / 'gone' / 'file'} cannot be written"):
        read_or_create(tmp_path / "gone" / "file", lambda: b"content")


def test_slower_process_takes_the_first_ones_content(tmp_path: Path) -> None:
    """If another process writes the file first, its content is returned and kept."""
    path = tmp_path / "file"

    def make() -> bytes:
        path.write_bytes(b"theirs")
        return b"ours"

    assert read_or_create(path, make) == b"theirs"
    assert path.read_bytes() == b"theirs"


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    """No temporary file stays in the folder, neither after success nor after failure."""
    read_or_create(tmp_path / "file", lambda: b"content")
    state_folder.replace(tmp_path / "file", b"other")
    (tmp_path / "folder").mkdir()
    with pytest.raises(SetupError, match="cannot be written"):
        state_folder.replace(tmp_path / "folder", b"content")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_replace(tmp_path: Path) -> None:
    """`replace` writes new content, with mode 0600 whatever the old mode was."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(0o644)
    state_folder.replace(path, b"new")
    assert path.read_bytes() == b"new"
    assert mode(path) == 0o600


def test_read_of_nothing(tmp_path: Path) -> None:
    """Reading a missing file returns None."""
    assert state_folder.read(tmp_path / "file", not_empty, "Remove it.") is None


def test_processes_started_at_once_share_a_secret(tmp_path: Path) -> None:
    """Processes that start at the same time in a new folder get the same secret."""
    script = (
        "import hashlib, sys; from pathlib import Path; from signaling.host import state_folder;"
        f"{READY}"
        "print(hashlib.sha256(state_folder.load_secret(Path(sys.argv[1]))).hexdigest())"
    )
    folder = tmp_path / "state"
    digests = run_at_once(STARTED_AT_ONCE, script, [str(folder)])
    assert digests == {hashlib.sha256(state_folder.load_secret(folder)).hexdigest()}


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root may give files away")
def test_root_takes_no_folder_of_another_user(tmp_path: Path) -> None:
    """The owner of the folder could read or replace what root keeps there, so it is refused."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    os.chown(folder, 65534, 65534)
    with pytest.raises(SetupError) as caught:
        state_folder.load_secret(folder)
    assert str(caught.value).startswith(f"The state folder {folder} belongs to another user. ")
    assert "XDG_STATE_HOME" in str(caught.value)
    assert list(folder.iterdir()) == []
