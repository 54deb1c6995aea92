"""Both pages forced to relay, through a real coturn run from this project's own configuration."""

from pathlib import Path

import pytest

from signaling.config import load
from tests.browser.pages import Pages, figure, phase, picture_moves
from tests.coturn_server import needs_turnserver, running_coturn
from tests.running_server import running_server


@needs_turnserver
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_the_picture_arrives_through_coturn(
    tmp_path: Path, pages: Pages, transport: str
) -> None:
    """`?relay=1` on both pages: the picture comes, and the panel says relay and by what."""
    async with running_coturn(tmp_path / "coturn") as coturn:
        file = tmp_path / "config.yaml"
        file.write_text("\n".join(coturn.config_lines()))
        settings = load(file)
        urls = settings.turn.coturn.urls
        urls[:] = [url for url in urls if url.endswith(transport)]
        async with running_server(settings, tmp_path / "state") as server:
            receiver = await pages.receiver(server, "relay=1")
            sender = await pages.sender(server, "relay=1")
            await phase(sender, "live")
            await phase(receiver, "live")
            await picture_moves(receiver)
            await figure(receiver, "path", f"^relay, {transport.upper()}$")
            await pages.close()
