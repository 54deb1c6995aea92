"""The state folder: small files that outlive the process and belong to one user.

Owns how they are read and written: folder 0700, files 0600, each written whole or not at all, and a
file that is there but damaged is reported, never overwritten. May import `signaling.room.refusal`.
"""

import os
import secrets
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import platformdirs

from signaling.setup_error import SetupError

T = TypeVar("T")

SECRET_BYTES = 32


def locate() -> Path:
    """Return the user's state folder, made if it is not there.

    On Linux this is `$XDG_STATE_HOME/lenscast`, by default `~/.local/state/lenscast`.
    Raises SetupError when it cannot be made or belongs to someone else.
    """
    return prepare_folder(platformdirs.user_state_path("lenscast", appauthor=False))


def prepare_folder(folder: Path) -> Path:
    """Make `folder` if it is not there, closed to other users, and return it. Raises SetupError."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if stat.S_IMODE(folder.stat().st_mode) & 0o077:
            folder.chmod(0o700)
    except OSError as error:
        raise SetupError(
            f"The state folder {folder} cannot be used: {error.strerror}. "
            "Make it a folder of your own user, or name another place in XDG_STATE_HOME."
        ) from error
    return folder


def load_secret(folder: Path) -> bytes:
    """Return the 32 bytes under which links are made, drawn at random on the first run.

    Processes that start at once on a fresh folder get the same ones.
    Raises SetupError when the file is damaged or cannot be read or written.
    """
    return read_or_create(
        prepare_folder(folder) / "secret",
        make=lambda: secrets.token_bytes(SECRET_BYTES),
        parse=_check_secret,
        remedy="Remove it and start again. Links made before will then no longer open.",
    )


def read_or_create(
    path: Path, make: Callable[[], bytes], parse: Callable[[bytes], T], remedy: str
) -> T:
    """Return what `path` holds, having written it first if it was not there.

    Parameters
    ----------
    path: a file in a folder that exists.
    make: gives the content of a new file.
    parse: turns the content into what is returned; raises ValueError when it is damaged.
    remedy: sentences for a person whose file is damaged: what to do, and what is lost by it.

    Of several processes that find no file, one writes it and all return that content.
    Raises SetupError when the file is damaged or cannot be read or written.
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
    """Return what `path` holds, or None when there is no such file.

    `parse`, `remedy` and what is raised are those of `read_or_create`.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SetupError(
            f"{path} cannot be read: {error.strerror}. "
            "Let the user who runs this command read it (a run with sudo may have left it to root)."
        ) from error
    try:
        return parse(data)
    except ValueError as error:
        raise SetupError(f"{path} cannot be used: {error}. {remedy}") from error


def replace(path: Path, data: bytes) -> None:
    """Put `data` in the place of whatever `path` held. A reader sees the old or the new, whole.

    Raises SetupError when it cannot be written.
    """
    _write(path, data, os.replace)


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
            "Make its folder writable, or name a folder on a local disk in XDG_STATE_HOME."
        ) from error


def _close_to_others(path: Path) -> None:
    """Take back what a copy or a restored backup may have opened."""
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            path.chmod(0o600)
    except OSError as error:
        raise SetupError(
            f"{path} can be read by other users, and that cannot be changed: {error.strerror}. "
            "Make it a file of your own user."
        ) from error


def _link(source: Path, target: Path) -> None:
    """Give `source` its name; if another process was faster, leave that one's file as it is.

    link(2) fails where rename(2) would overwrite, and the name appears with its content complete,
    which open(2) with O_EXCL does not give.
    """
    with suppress(FileExistsError):
        os.link(source, target)


def _check_secret(data: bytes) -> bytes:
    if len(data) != SECRET_BYTES:
        raise ValueError(f"it has {len(data)} bytes instead of {SECRET_BYTES}")
    return data
