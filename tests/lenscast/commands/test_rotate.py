"""`lenscast rotate`: new links, or a new certificate authority."""

import ssl
import urllib.request
from pathlib import Path

from signaling.host import tls
from tests.lenscast.commands.command import ask, refused, run, said
from tests.lenscast.commands.visitor import turned_away, visitor
from tests.signaling.test_serve import serving


async def test_old_links_end_at_once(tmp_path: Path) -> None:
    """Whoever came by them is put out, with a reason; neither link nor token opens a room again,
    and the new links do."""
    with serving(tmp_path) as (process, server):
        once = (await ask(tmp_path, "links", "--once"))["links"]["viewer"]
        made = await ask(tmp_path, "room")
        async with (
            visitor(server, server["sender"]) as phone,
            visitor(server, made["links"]["viewer"]) as guest,
        ):
            (rotated,) = (await ask(tmp_path, "rotate"))["servers"]
            assert await phone.peer.closed() == (4003, "link-ended")
            assert await guest.peer.closed() == (4003, "link-ended")
        assert rotated["put_out"] == 2
        token = phone.registered["resume"]
        assert await turned_away(server, server["sender"], resume=token) == "bad-key"
        assert await turned_away(server, made["links"]["viewer"]) == "bad-key"
        assert await turned_away(server, once) == "bad-key"
        home, other = rotated["rooms"]
        assert home["room"] != server["room"]
        assert other["room"] == made["room"]
        async with visitor(server, home["links"]["sender"], resume=token) as again:
            assert "resumed" not in again.registered
        async with visitor(server, other["links"]["viewer"]) as guest:
            process.kill()
            await guest.peer.closed()
    with serving(tmp_path) as (_process, restarted):
        assert restarted["room"] == home["room"]
        token = guest.registered["resume"]
        async with visitor(restarted, other["links"]["viewer"], resume=token) as back:
            assert back.registered["resumed"] is True


async def test_every_server_of_the_folder_takes_new_links(tmp_path: Path) -> None:
    """They share the secret, so none of them takes old links any more."""
    with serving(tmp_path) as (_one, first), serving(tmp_path) as (_two, second):
        assert len((await ask(tmp_path, "rotate"))["servers"]) == 2
        for server in (first, second):
            assert await turned_away(server, server["sender"]) == "bad-key"


def test_without_a_server_its_next_start_has_new_links(tmp_path: Path) -> None:
    """The command says so."""
    before = run(tmp_path, "links").stdout
    done = run(tmp_path, "rotate")
    assert (done.returncode, done.stderr) == (0, "")
    assert "From its next start" in done.stdout
    assert run(tmp_path, "links").stdout != before


def test_a_new_authority_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    """At once: for new connections and on the trust page. The links stay."""
    with serving(tmp_path, "--host", "127.0.0.1") as (_process, server):
        folder = tmp_path / "lenscast"
        old = tls.ca_certificate(folder)
        (rotated,) = said(tmp_path, "rotate", "--certificate")["servers"]
        new = tls.ca_certificate(folder)
        assert rotated["fingerprint"] == tls.fingerprint(new) != tls.fingerprint(old)
        context = ssl.create_default_context(cadata=new.decode())
        url = f"https://127.0.0.1:{server['port']}/trust"
        with urllib.request.urlopen(url, context=context, timeout=20) as answer:
            assert tls.fingerprint(new) in answer.read().decode()
        assert said(tmp_path, "links")["rooms"][0]["links"]["sender"] == server["sender"]


def test_without_an_authority_there_is_nothing_to_renew(tmp_path: Path) -> None:
    """A server behind a proxy says so."""
    file = tmp_path / "c.yaml"
    file.write_text("server: {tls: off}\naccess: open\n")
    with serving(tmp_path, "--config", str(file)):
        done = run(tmp_path, "rotate", "--certificate")
        assert (done.returncode, "server.tls" in done.stderr) == (2, True)
        assert "access: open" in run(tmp_path, "rotate").stderr


def test_a_damaged_state_folder_is_one_sentence(tmp_path: Path) -> None:
    """No traceback reaches a person."""
    (tmp_path / "lenscast").write_text("")
    assert "cannot be used" in refused(tmp_path, "rotate")
