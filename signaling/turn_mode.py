"""Makes the `TurnServers` that the configuration asks for."""

from pathlib import Path

from signaling.config import Config
from signaling.setup_error import SetupError
from turn.embedded import EmbeddedTurn
from turn.limits import RelayLimits
from turn.servers import Coturn, NoTurn, StaticServers, TurnServers


def turn_servers(config: Config) -> TurnServers:
    """Make the TURN servers that the configuration asks for.

    Raises
    ------
    SetupError: the file with coturn's secret cannot be read, or is empty.
    """
    settings = config.turn
    match settings.mode:
        case "embedded":
            return EmbeddedTurn(
                credential_seconds=settings.credential_seconds,
                # Browsers check the certificate of `turns:` and show no warning to click past.
                tls=config.server.tls == "files",
                behind_proxy=config.server.tls == "off",
                limits=RelayLimits(
                    tcp_connections_per_address=config.limits.connections_per_address
                ),
            )
        case "none":
            return NoTurn()
        case "static":
            return StaticServers(settings.ice_servers)
        case "coturn":
            coturn = settings.coturn
            secret = coturn.secret or _read_secret(Path(coturn.secret_file or ""))
            return Coturn(coturn.urls, secret, settings.credential_seconds)


def _read_secret(path: Path) -> str:
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise SetupError(
            f"Cannot read the secret in {path} (turn.coturn.secret_file): {reason}."
        ) from error
    if not secret:
        raise SetupError(f"The secret in {path} (turn.coturn.secret_file) is empty.")
    return secret
