"""The TURN servers that the configuration asks for."""

from pathlib import Path

import pytest

from signaling import config
from signaling.setup_error import SetupError
from signaling.turn_mode import turn_servers


def test_coturn_s_secret_is_read_from_its_file(tmp_path: Path) -> None:
    """A secret in a file gives the same credentials as one in the configuration."""
    (tmp_path / "secret").write_text("hush\n")
    urls = ["turn:192.0.2.1"]
    by_file = config.from_values(
        {
            "turn": {
                "mode": "coturn",
                "coturn": {"urls": urls, "secret_file": str(tmp_path / "secret")},
            }
        }
    )
    direct = config.from_values(
        {"turn": {"mode": "coturn", "coturn": {"urls": urls, "secret": "hush"}}}
    )
    issued = [turn_servers(c).issue("p", "room", "https://x", 1e6) for c in (by_file, direct)]
    assert issued[0] == issued[1]


@pytest.mark.parametrize("content", [None, "", "\n", b"\xff"])
def test_a_secret_that_cannot_be_read_is_one_sentence(
    tmp_path: Path, content: str | bytes | None
) -> None:
    """The error names the file and the setting."""
    file = tmp_path / "secret"
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content is not None:
        file.write_text(content)
    coturn = {"urls": ["turn:192.0.2.1"], "secret_file": str(file)}
    settings = config.from_values({"turn": {"mode": "coturn", "coturn": coturn}})
    with pytest.raises(SetupError, match=r"secret .*turn\.coturn\.secret_file"):
        turn_servers(settings)
