"""The state folder: small files that outlive the process and belong to one user.

Owns how they are read and written. The folder has mode 0700 and the files 0600. Each file is
written whole or not at all. A damaged file is reported, never overwritten.
"""

import os
import secrets
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import platformdirs

from signaling.setup_error import SetupError

T = TypeVar("T")

SECRET_BYTES = 32
OVERFLOW_USER = 65534
LOCK_TRIES = 200
LOCK_PAUSE = 0.05
"""Seconds between two attempts. A process is in its block for milliseconds."""


def locate() -> Path:
    """Return the user's state folder; create it if needed.

    On Linux this is `$XDG_STATE_HOME/lenscast`, by default `~/.local/state/lenscast`.
    Raises SetupError if the folder cannot be created or belongs to another user.
    """
    return prepare_folder(platformdirs.user_state_path("lenscast", appauthor=False))


def prepare_folder(folder: Path) -> Path:
    """Create `folder` if needed, close it to other users, and return it. Raises SetupError."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
        # Root could use it all the same, but its owner could read or replace what root keeps there.
        if hasattr(os, "geteuid") and status.st_uid != os.geteuid():
            raise SetupError(
                f"The state folder {folder} belongs to another user. Run lenscast as that user, or "
                "set XDG_STATE_HOME to a folder of your own."
            )
        if hasattr(os, "geteuid") and (owned := _owned_by_others(folder)):
            raise SetupError(
                f"The state folder {folder} lies in {owned}, whose owner is another user and could "
                "replace it. Set XDG_STATE_HOME to a folder of your own."
            )
        if stat.S_IMODE(status.st_mode) & 0o077:
            folder.chmod(0o700)
    except OSError as error:
        raise SetupError(
            f"The state folder {folder} cannot be used: {error.strerror}. "
            "Make it a folder that your user owns, or set XDG_STATE_HOME to another place."
        ) from error
    return folder


def load_secret(folder: Path) -> bytes:
    """Return the 32 secret bytes that keys are made from; the first run draws them at random.

    Processes that start at the same time in a new folder get the same bytes.
    Raises SetupError if the file is damaged or cannot be read or written.
    """
    return read_or_create(
        prepare_folder(folder) / "secret",
        make=lambda: secrets.token_bytes(SECRET_BYTES),
        parse=_check_secret,
        remedy="Remove it and start again. Links from before will then no longer work.",
    )


def renew_secret(folder: Path) -> bytes:
    """Replace the secret by another one, and return that. Raises SetupError as `load_secret`."""
    secret = secrets.token_bytes(SECRET_BYTES)
    replace(prepare_folder(folder) / "secret", secret)
    return secret


def read_or_create(
    path: Path, make: Callable[[], bytes], parse: Callable[[bytes], T], remedy: str
) -> T:
    """Return the content of `path`; write the file first if it does not exist.

    Parameters
    ----------
    path: a file in a folder that exists.
    make: returns the content of a new file.
    parse: turns the content into the return value; raises ValueError if the file is damaged.
    remedy: sentences for the user of a damaged file: what to do, and what is lost.

    If several processes find no file, one of them writes it and all return its content.
    Raises SetupError if the file is damaged or cannot be read or written.
    """
    found = read(path, parse, remedy)
    if found is not None:
        _close_to_others(path)
        return found
    _write(path, make(), _link)
    written = read(path, parse, remedy)
    if written is None:
        raise SetupError(f"{path} was removed while it was being written. Start again.")
    return written


def read(path: Path, parse: Callable[[bytes], T], remedy: str) -> T | None:
    """Return the content of `path`, or None if there is no such file.

    `parse`, `remedy` and the exceptions are the same as for `read_or_create`.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SetupError(
            f"{path} cannot be read: {error.strerror}. "
            "Give your user access to it (after a run with sudo it may belong to root)."
        ) from error
    try:
        return parse(data)
    except ValueError as error:
        raise SetupError(f"{path} cannot be used: {error}. {remedy}") from error


def replace(path: Path, data: bytes) -> None:
    """Replace the content of `path` with `data`. A reader sees all of the old or all of the new.

    Raises SetupError if the file cannot be written.
    """
    _write(path, data, os.replace)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let no other process into a block like this one for the same folder. On Windows: no lock.

    Raises SetupError if another process stays in its block.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        for _ in range(LOCK_TRIES):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(LOCK_PAUSE)
            except OSError as error:
                raise SetupError(
                    f"The state folder {folder} cannot be locked: {error.strerror}. "
                    "Set XDG_STATE_HOME to a folder on a local disk."
                ) from error
        else:
            raise SetupError(f"Another lenscast is using the state folder {folder}. Try again.")
        yield
    finally:
        os.close(descriptor)


def _owned_by_others(folder: Path) -> Path | None:
    """A folder above this one that belongs to neither this user nor root.

    In a container without root's rights, those of root outside belong to the overflow user
    (user_namespaces(7)).
    """
    trusted = {os.geteuid(), 0, OVERFLOW_USER}
    above = folder.resolve().parents
    return next((parent for parent in above if parent.stat().st_uid not in trusted), None)


def _write(path: Path, data: bytes, publish: Callable[[Path, Path], None]) -> None:
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # 0600
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            publish(Path(name), path)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        raise SetupError(
            f"{path} cannot be written: {error.strerror}. "
            "Make its folder writable, or set XDG_STATE_HOME to a folder on a local disk."
        ) from error


def _close_to_others(path: Path) -> None:
    """Close a file to other users; a copy or a restored backup may have opened it."""
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            path.chmod(0o600)
    except OSError as error:
        raise SetupError(
            f"{path} can be read by other users, and that cannot be changed: {error.strerror}. "
            "Make your user the owner of the file."
        ) from error


def _link(source: Path, target: Path) -> None:
    """Publish `source` as `target`; if another process was faster, keep that process's file.

    link(2) fails where rename(2) would overwrite. And the file is complete as soon as its name
    appears, which open(2) with O_EXCL does not guarantee.
    """
    with suppress(FileExistsError):
        os.link(source, target)


def _check_secret(data: bytes) -> bytes:
    if len(data) != SECRET_BYTES:
        raise ValueError(f"it has {len(data)} bytes instead of {SECRET_BYTES}")
    return data
