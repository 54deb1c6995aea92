"""`lenscast room`: a new room on the server that runs."""

from pathlib import Path

from tests.lenscast.commands.command import ask, refused, run
from tests.lenscast.commands.visitor import visitor
from tests.signaling.test_serve import serving


async def test_a_new_room_has_a_link_for_each_role(tmp_path: Path) -> None:
    """Each link opens the room in its role, and no other room."""
    with serving(tmp_path) as (_process, server):
        made = await ask(tmp_path, "room")
        assert set(made["links"]) == {"sender", "receiver", "viewer"}
        assert made["room"] != server["room"]
        for role, link in made["links"].items():
            async with visitor(server, link) as peer:
                assert (peer.registered["role"], peer.registered["room"]) == (role, made["room"])


def test_the_links_are_printed_for_a_person(tmp_path: Path) -> None:
    """A line for each role, its name first; an unknown kind of room is explained."""
    with serving(tmp_path):
        lines = run(tmp_path, "room").stdout.splitlines()
        assert [line.split()[0] for line in lines] == ["Sender", "Receiver", "Viewer"]
        assert "camera" in refused(tmp_path, "room", "ballroom")
