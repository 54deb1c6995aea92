"""`lenscast end` and `lenscast remove`."""

import asyncio
import json
import urllib.request
from pathlib import Path

import pytest

from lenscast.cli import main
from tests.lenscast.commands.command import ask, refused
from tests.lenscast.commands.visitor import turned_away, visitor
from tests.signaling.test_serve import serving


async def test_a_room_ends_for_everyone_in_it(tmp_path: Path) -> None:
    """Its links open nothing then; other rooms go on."""
    with serving(tmp_path) as (_process, server):
        made = (await ask(tmp_path, "room"))["links"]
        async with visitor(server, server["sender"]) as elsewhere:
            async with visitor(server, made["sender"]) as phone:
                code = phone.registered["room"]
                ended = await ask(tmp_path, "end", code)
                assert await phone.peer.closed() == (4003, "ended")
            assert ended == {"room": code, "peers": 1, "home": False}
            assert await turned_away(server, made["viewer"]) == "no-room"
            assert "There is no room" in refused(tmp_path, "end", code)
            await elsewhere.peer.send(type="time", sent=1)
            await elsewhere.peer.receive_type("time")


async def test_one_peer_is_put_out(tmp_path: Path) -> None:
    """The others are told; it comes back neither by its token nor by its link. What happened stands
    in the audit log."""
    audit, file = tmp_path / "audit.log", tmp_path / "c.yaml"
    file.write_text("log: {audit: audit.log}\n")
    with serving(tmp_path, "--config", str(file)) as (_process, server):
        async with visitor(server, server["receiver"]) as laptop:
            async with visitor(server, server["sender"], name="Mine") as phone:
                await laptop.peer.receive_type("peer-connected")
                gone = await ask(tmp_path, "remove", phone.id)
                assert await phone.peer.closed() == (4003, "removed")
            told = await laptop.peer.receive_type("peer-disconnected")
            assert (told["id"], told["reason"]) == (phone.id, "removed")
        assert (gone["peer"], gone["role"], gone["name"]) == (phone.id, "sender", "Mine")
        token = phone.registered["resume"]
        assert await turned_away(server, server["sender"], resume=token) == "removed"
        assert "There is no peer" in refused(tmp_path, "remove", phone.id)
        url = f"http://127.0.0.1:{server['local_port']}/metrics"
        figures = await asyncio.to_thread(fetch, url)
        assert 'lenscast_refusals_total{code="removed"} 1.0' in figures
    lines = [json.loads(line) for line in audit.read_text().splitlines()]
    of_phone = [line["event"] for line in lines if line.get("peer") == phone.id]
    assert of_phone == ["joined", "removed"]
    assert {"event": "refused", "code": "removed", "role": "sender"}.items() <= lines[-1].items()


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=20) as answer:
        return str(answer.read().decode())


@pytest.mark.parametrize("name", ["room", "links", "rotate", "end", "remove"])
def test_each_command_has_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` shows one."""
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert f"\n  lenscast {name}" in capsys.readouterr().out.partition("example:")[2]
