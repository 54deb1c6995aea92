"""The configuration: its keys, their types and defaults, and how it is read from a YAML file.

config.yaml lists every key with its default; a test keeps it equal to this module.
"""

import dataclasses
import difflib
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml

from signaling.setup_error import SetupError


@dataclass(frozen=True)
class Server:
    """Where the server listens, and how others reach it."""

    host: str = "0.0.0.0"
    port: int = 8443
    local_port: int = 8080
    tls: Literal["local-ca", "files", "off"] = "local-ca"
    certificate: str | None = None
    private_key: str | None = None
    public_url: str | None = None
    hosts: list[str] = field(default_factory=list)
    trusted_proxies: list[str] = field(default_factory=list)
    metrics: Literal["loopback", "everyone", "off"] = "loopback"


@dataclass(frozen=True)
class Rooms:
    """How many rooms there may be, and how many peers in each."""

    max_rooms: int = 100
    max_senders: int = 8
    max_receivers: int = 8
    max_viewers: int = 8


@dataclass(frozen=True)
class Limits:
    """What one client may do, and all of them. Times are in seconds, sizes in bytes."""

    message_bytes: int = 65536
    sdp_bytes: int = 32768
    candidate_bytes: int = 4096
    candidates_per_session: int = 512
    messages_per_second: float = 20
    message_burst: int = 60
    bytes_per_second: float = 131072
    byte_burst: int = 524288
    register_seconds: float = 10
    resume_seconds: float = 45
    ping_seconds: float = 15
    pong_seconds: float = 10
    outbox_messages: int = 256
    outbox_bytes: int = 1048576
    away_bytes: int = 16777216
    first_byte_seconds: float = 30
    connections: int = 1000
    connections_per_address: int = 64
    connections_per_second: float = 50
    requests_per_second: float = 200
    failed_keys_per_minute: int = 10


@dataclass(frozen=True)
class CoturnSettings:
    """A coturn server, and the secret that it shares with this server."""

    urls: list[str] = field(default_factory=list)
    secret: str | None = field(default=None, repr=False)
    secret_file: str | None = None


@dataclass(frozen=True)
class Turn:
    """Which TURN servers the peers get."""

    mode: Literal["embedded", "coturn", "static", "none"] = "embedded"
    coturn: CoturnSettings = field(default_factory=CoturnSettings)
    ice_servers: list[dict[str, Any]] = field(default_factory=list, repr=False)
    credential_seconds: float = 3600


@dataclass(frozen=True)
class Preset:
    """A quality that the pages offer. `max_bitrate` is in bit/s."""

    label: str
    width: int
    height: int
    frame_rate: int
    max_bitrate: int


def _presets() -> dict[str, Preset]:
    return {
        "low": Preset("Low", 640, 480, 15, 300_000),
        "medium": Preset("Medium", 1280, 720, 24, 1_000_000),
        "high": Preset("High", 1280, 720, 30, 1_500_000),
        "hd": Preset("HD", 1920, 1080, 30, 4_000_000),
    }


@dataclass(frozen=True)
class Video:
    """The qualities that the pages offer, and the one that they start with."""

    presets: dict[str, Preset] = field(default_factory=_presets)
    default: str = "high"


@dataclass(frozen=True)
class Log:
    """How much is logged to standard error, and where the audit log is."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    audit: str | None = None


@dataclass(frozen=True)
class Config:
    """The whole configuration."""

    server: Server = field(default_factory=Server)
    access: Literal["key", "open"] = "key"
    rooms: Rooms = field(default_factory=Rooms)
    limits: Limits = field(default_factory=Limits)
    turn: Turn = field(default_factory=Turn)
    video: Video = field(default_factory=Video)
    log: Log = field(default_factory=Log)


def load(path: Path) -> Config:
    """Read a YAML file. Keys that it leaves out keep their defaults.

    Paths of other files are relative to the folder of this one.

    Raises
    ------
    SetupError: the file cannot be read, is not YAML, or has an unknown key or a wrong value. The
        sentence names the key by its path; for an unknown one also the most similar known key.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise SetupError(f"Cannot read the configuration {path}: {reason}.") from error
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f", line {where.line + 1}" if where else ""
        problem = getattr(error, "problem", None) or "it cannot be read"
        raise SetupError(f"{path}{line}: this is not YAML: {problem}.") from error
    try:
        config = from_values({} if values is None else values)
    except SetupError as error:
        raise SetupError(f"{path}: {error}") from error
    return _with_paths_from(config, path.parent)


def _with_paths_from(config: Config, folder: Path) -> Config:
    def beside(name: str | None) -> str | None:
        return None if name is None else str(folder / Path(name).expanduser())

    server, coturn = config.server, config.turn.coturn
    return dataclasses.replace(
        config,
        server=dataclasses.replace(
            server,
            certificate=beside(server.certificate),
            private_key=beside(server.private_key),
        ),
        turn=dataclasses.replace(
            config.turn,
            coturn=dataclasses.replace(coturn, secret_file=beside(coturn.secret_file)),
        ),
        log=dataclasses.replace(config.log, audit=beside(config.log.audit)),
    )


def from_values(values: Any) -> Config:
    """Make a configuration from the values of a YAML document.

    Raises
    ------
    SetupError: as for `load`.
    """
    config = _section(Config, values, "")
    _check(config)
    return config


def _check(config: Config) -> None:
    for name in ("port", "local_port"):
        if not 0 <= getattr(config.server, name) <= 65535:
            raise SetupError(f"server.{name} must be a port from 0 to 65535 (0: any free one).")
    sections: dict[str, Any] = {"rooms": config.rooms, "limits": config.limits}
    for section, record in sections.items():
        for name, value in dataclasses.asdict(record).items():
            if value <= 0:
                raise SetupError(f"{section}.{name} must be more than 0.")
    if config.limits.byte_burst < config.limits.message_bytes:
        raise SetupError("limits.byte_burst must be at least limits.message_bytes.")
    if config.turn.credential_seconds < 60:
        raise SetupError("turn.credential_seconds must be at least 60.")
    if config.server.tls == "files" and not (
        config.server.certificate and config.server.private_key
    ):
        raise SetupError(
            "If server.tls is 'files', set server.certificate and server.private_key too."
        )
    if config.turn.mode == "coturn":
        _check_coturn(config.turn.coturn)
    if config.video.default not in config.video.presets:
        known = ", ".join(config.video.presets)
        raise SetupError(f"video.default must be one of the presets: {known}.")


def _check_coturn(coturn: CoturnSettings) -> None:
    if not coturn.urls:
        raise SetupError("If turn.mode is 'coturn', list its URLs in turn.coturn.urls.")
    if bool(coturn.secret) == bool(coturn.secret_file):
        raise SetupError("Set exactly one of turn.coturn.secret and turn.coturn.secret_file.")


_T = TypeVar("_T")


def _section(kind: type[_T], values: Any, path: str) -> _T:
    if not isinstance(values, dict):
        raise SetupError(f"{path or 'The configuration'} must consist of keys and values.")
    hints = typing.get_type_hints(kind)
    read = {}
    for name, value in values.items():
        where = f"{path}.{name}" if path else str(name)
        if name not in hints:
            raise SetupError(_unknown(where, str(name), list(hints), path))
        read[name] = _value(hints[name], value, where)
    missing = [
        f.name
        for f in dataclasses.fields(kind)  # type: ignore[arg-type]
        if f.name not in read
        and f.default is dataclasses.MISSING
        and f.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise SetupError(f"{path} is incomplete: set {', '.join(missing)}.")
    return kind(**read)


def _unknown(where: str, name: str, known: list[str], path: str) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f"There is no key {where}. Did you mean {f'{path}.' if path else ''}{near[0]}?"
    return f"There is no key {where}. The keys here are: {', '.join(known)}."


_WORDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


def _value(hint: Any, value: Any, path: str) -> Any:
    if dataclasses.is_dataclass(hint):
        return _section(typing.cast(type, hint), value, path)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType:
        return None if value is None else _value(arguments[0], value, path)
    if origin is Literal:
        return _choice(arguments, value, path)
    if origin is list:
        if not isinstance(value, list):
            raise SetupError(f"{path} must be a list.")
        return [_value(arguments[0], item, f"{path}[{i}]") for i, item in enumerate(value)]
    if origin is dict:
        if not isinstance(value, dict):
            raise SetupError(f"{path} must consist of keys and values.")
        return {str(k): _value(arguments[1], item, f"{path}.{k}") for k, item in value.items()}
    return _scalar(hint, value, path)


def _choice(choices: tuple[str, ...], value: Any, path: str) -> str:
    # YAML 1.1 reads a bare `off` as false.
    if value is False and "off" in choices:
        value = "off"
    if value not in choices:
        raise SetupError(f"{path} must be one of {', '.join(choices)}, not {value!r}.")
    return str(value)


def _scalar(hint: Any, value: Any, path: str) -> Any:
    if hint is Any:
        return value
    accepted = (int, float) if hint is float else (hint,)
    if not isinstance(value, accepted) or (isinstance(value, bool) and hint is not bool):
        raise SetupError(f"{path} must be {_WORDS[hint]}, not {value!r}.")
    return value
