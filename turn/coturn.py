"""Writes the files that coturn needs: its configuration, a compose file and a new secret.

Their text comes from the templates turnserver.conf and compose.yaml beside this module.
"""

import contextlib
import json
import os
import re
import secrets
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from string import Template

IMAGE = "coturn/coturn:4.13.1"
MIN_RELAY_PORT = 49160
MAX_RELAY_PORT = 49359
USER_QUOTA = 64
_NOBODY = 65534
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")  # OCI Image Format 1.1, "Digests".


class CoturnError(Exception):
    """The files cannot be written; the message says why and what to do."""


class CoturnExists(CoturnError):
    """One of the files exists already, and the secret in it may be in use."""


@dataclass(frozen=True)
class CoturnFiles:
    """The files that were written. `secret_file` is an absolute path."""

    turnserver_conf: Path
    compose_yaml: Path
    secret_file: Path
    urls: tuple[str, ...]

    def config_lines(self) -> list[str]:
        """Return the three lines for config.yaml that make Lenscast use this coturn."""
        # A JSON string is a double-quoted YAML scalar, with the same escapes.
        urls = ", ".join(json.dumps(url) for url in self.urls)
        secret_file = json.dumps(str(self.secret_file), ensure_ascii=False)
        return [
            "turn:",
            "  mode: coturn",
            f"  coturn: {{urls: [{urls}], secret_file: {secret_file}}}",
        ]


def write(
    directory: Path,
    addresses: Sequence[str],
    *,
    port: int = 3478,
    min_port: int = MIN_RELAY_PORT,
    max_port: int = MAX_RELAY_PORT,
    uid: int | None = None,
    gid: int | None = None,
    digest: str | None = None,
) -> CoturnFiles:
    """Write turnserver.conf, compose.yaml and secret: all three or none.

    Parameters
    ----------
    directory: the folder for the files; created if needed.
    addresses: the host's own IP addresses at which clients reach coturn, best first. coturn
        listens on all of them. All relayed addresses are on the first IPv4 address, so two peers
        meet there, whichever address each of them uses.
    port: the UDP and TCP port that coturn listens on.
    min_port, max_port: the first and last UDP port for relayed addresses, one per allocation.
    uid, gid: the user and group that run the container and own turnserver.conf. Default: the
        caller, or `nobody` if the caller is root.
    digest: of the container's image, as in `sha256:` and 64 digits; None: whatever its tag names.

    Raises
    ------
    CoturnExists: one of the files exists already; nothing was changed.
    CoturnError: the addresses, the ports or the digest cannot be used.
    OSError: a file cannot be written.
    """
    known = _parse(addresses)
    relay = next((a for a in known if isinstance(a, IPv4Address)), None)
    if relay is None:
        raise CoturnError("coturn relays over IPv4: give an IPv4 address of this host.")
    _check_ports(port, min_port, max_port)
    image = _image(digest)
    owner = _owner(uid, gid)

    directory = directory.absolute()
    secret = secrets.token_hex(32)
    conf = _fill(
        "turnserver.conf",
        listening="\n".join(f"listening-ip={address}" for address in known),
        port=port,
        relay=relay,
        min_port=min_port,
        max_port=max_port,
        secret=secret,
        user_quota=USER_QUOTA,
        total_quota=max_port - min_port + 1,
        loopback="allow-loopback-peers" if relay.is_loopback else "",
    )
    directory.mkdir(parents=True, exist_ok=True)
    conf_path, compose_path, secret_path = (
        directory / name for name in ("turnserver.conf", "compose.yaml", "secret")
    )
    _place(
        [
            (conf_path, conf, 0o600, owner),
            (
                compose_path,
                _fill("compose.yaml", image=image, uid=owner[0], gid=owner[1]),
                0o644,
                None,
            ),
            (secret_path, secret, 0o600, None),
        ]
    )
    return CoturnFiles(conf_path, compose_path, secret_path, tuple(_urls(known, port)))


def _parse(addresses: Iterable[str]) -> list[IPv4Address | IPv6Address]:
    parsed: list[IPv4Address | IPv6Address] = []
    for text in addresses:
        try:
            address = ip_address(text)
        except ValueError as error:
            raise CoturnError(f"{text!r} is not an IP address.") from error
        if address.is_unspecified or address.is_multicast or "%" in text:
            raise CoturnError(f"Clients cannot reach coturn at the address {text}.")
        if address not in parsed:
            parsed.append(address)
    return parsed


def _check_ports(port: int, min_port: int, max_port: int) -> None:
    if not (1 <= port <= 65535 and 1 <= min_port <= max_port <= 65535):
        raise CoturnError(
            "Ports are numbers from 1 to 65535; a range starts with the lower number."
        )
    if min_port <= port <= max_port:
        raise CoturnError(f"Port {port} is one of the relay ports {min_port} to {max_port}.")


def _image(digest: str | None) -> str:
    if digest is None:
        return IMAGE
    if not _DIGEST.fullmatch(digest):
        raise CoturnError(
            f"{digest!r} is not the digest of an image: sha256: and 64 digits, 0 to f."
        )
    return f"{IMAGE}@{digest}"


def _owner(uid: int | None, gid: int | None) -> tuple[int, int]:
    # Windows has no numeric users, and a container there may read all files of its host.
    me = (os.getuid(), os.getgid()) if hasattr(os, "getuid") else (0, 0)
    default = me if me[0] else (_NOBODY, _NOBODY)
    return (default[0] if uid is None else uid, default[1] if gid is None else gid)


def _urls(addresses: Iterable[IPv4Address | IPv6Address], port: int) -> list[str]:
    hosts = [f"[{a}]" if isinstance(a, IPv6Address) else str(a) for a in addresses]
    return [f"turn:{host}:{port}?transport={kind}" for kind in ("udp", "tcp") for host in hosts]


def _fill(template: str, **values: object) -> str:
    text = resources.files("turn").joinpath(template).read_text(encoding="utf-8")
    return Template(text).substitute(values).rstrip("\n") + "\n"


def _place(files: Sequence[tuple[Path, str, int, tuple[int, int] | None]]) -> None:
    """Create files (path, text, mode, owner) in one directory: all or none; overwrite nothing."""
    with tempfile.TemporaryDirectory(prefix=".coturn-", dir=files[0][0].parent) as staging:
        for path, text, mode, owner in files:
            _create(Path(staging) / path.name, text, mode, owner)
        with contextlib.ExitStack() as undo:
            for path, *_ in files:
                try:
                    # Unlike a rename, a hard link fails if the name is taken.
                    os.link(Path(staging) / path.name, path)
                except FileExistsError as error:
                    raise CoturnExists(
                        f"{path} exists already. To replace the secret, stop coturn and remove "
                        "turnserver.conf, compose.yaml and secret. To keep it, name another "
                        "directory."
                    ) from error
                undo.callback(path.unlink)
            undo.pop_all()


def _create(path: Path, text: str, mode: int, owner: tuple[int, int] | None) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    if owner is not None and hasattr(os, "chown"):
        os.chown(path, *owner)
