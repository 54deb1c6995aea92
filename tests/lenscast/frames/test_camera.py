"""The phone as a camera for programs with an event loop: real frames over a real server."""

import asyncio
import ssl
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from lenscast.frames.camera import AsyncCamera
from lenscast.frames.frame import Frame, PhoneLost
from lenscast.peers.signaling import ConnectionEnded
from signaling.host import state_folder, tls
from signaling.setup_error import SetupError
from tests.lenscast.frames.phone import SECONDS, number, own_folder, phone, room
from tests.ports import free_ports

RGB = (
    (180, 180, 180),
    (180, 180, 16),
    (16, 180, 180),
    (16, 180, 16),
    (180, 16, 180),
    (180, 16, 16),
    (16, 16, 180),
    (16, 16, 16),
)


async def take(camera: AsyncCamera, count: int) -> list[Frame]:
    frames = []
    async with asyncio.timeout(SECONDS):
        async for frame in camera:
            frames.append(frame)
            if len(frames) == count:
                break
    return frames


async def test_frames_come_in_order_and_once_each(tmp_path: Path) -> None:
    """Each is newer than the one before; its number counts what came from that phone, and what was
    skipped accounts for every number that is missing."""
    async with room(tmp_path) as (server, link), phone(link, name="Pixel") as sender:
        async with AsyncCamera(server.receiver_link, quiet=True) as camera:
            frames = await take(camera, 12)
        assert all(one.number + 1 + two.skipped == two.number for one, two in pairwise(frames))
        shown = [found for frame in frames if (found := number(frame)) is not None]
        assert len(shown) > 6
        assert all(one < two for one, two in pairwise(shown))
        assert {(frame.sender, frame.name) for frame in frames} == {(sender.id, "Pixel")}
        assert {(frame.width, frame.height) for frame in frames} == {(320, 240)}


async def test_a_slow_consumer_gets_the_newest_frame_and_can_tell_how_many_it_missed(
    tmp_path: Path,
) -> None:
    """While it was busy for 20 frames, 19 at least were skipped; the next one is the newest."""
    async with (
        room(tmp_path) as (server, link),
        AsyncCamera(server.receiver_link, quiet=True) as camera,
        phone(link, rate=30) as sender,
    ):
        (first,) = await take(camera, 1)
        async with asyncio.timeout(SECONDS):
            while camera.phones[sender.id].frames < first.number + 21:
                await asyncio.sleep(0.01)
        newest = camera.phones[sender.id].frames - 1
        (second,) = await take(camera, 1)
        assert second.number >= newest
        assert second.skipped == second.number - first.number - 1 >= 19
        assert camera.phones[sender.id].skipped >= second.skipped
        one, two = number(first), number(second)
        assert one is not None
        assert two is not None
        assert two - one >= 20


async def test_the_time_of_a_frame_is_about_when_it_was_taken(tmp_path: Path) -> None:
    """It is Unix time, in the past, and goes from frame to frame as the phone's clock does."""
    rate = 15
    async with (
        room(tmp_path) as (server, link),
        AsyncCamera(server.receiver_link, quiet=True) as camera,
        phone(link, rate=rate),
    ):
        begun = time.time()
        frames = await take(camera, 15)
        ended = time.time()
    assert all(begun <= frame.time <= ended for frame in frames)
    numbered = [(frame.time, found) for frame in frames if (found := number(frame)) is not None]
    assert all(one < two for (one, _), (two, _) in pairwise(numbered))
    # By the end the fastest frame has come; from there on only the phone's clock counts.
    (early, first), (late, last) = numbered[len(numbered) // 2], numbered[-1]
    assert late - early == pytest.approx((last - first) / rate, abs=0.15)


@pytest.mark.parametrize("form", ["bgr24", "rgb24", "gray"])
async def test_the_image_has_the_colours_of_the_picture(tmp_path: Path, form: str) -> None:
    """As rows of pixels, blue first unless something else is asked for."""
    async with (
        room(tmp_path) as (server, link),
        AsyncCamera(server.receiver_link, format=form, quiet=True) as camera,  # type: ignore[arg-type]
        phone(link),
    ):
        frame = (await take(camera, 5))[-1]
    image = frame.image
    assert image.dtype == np.uint8
    assert image.shape == ((240, 320) if form == "gray" else (240, 320, 3))
    assert image is frame.image
    for index, colour in enumerate(RGB):
        seen = image[100:140, index * 40 + 10 : index * 40 + 30].mean(axis=(0, 1))
        red, green, blue = colour
        light = 0.299 * red + 0.587 * green + 0.114 * blue
        expected = {"bgr24": (blue, green, red), "rgb24": colour, "gray": light}[form]
        assert np.abs(seen - expected).max() < 24, (index, seen, expected)


async def test_of_several_phones_each_has_its_turn(tmp_path: Path) -> None:
    """Iterating gives frames of all; one phone alone can be asked for too."""
    async with (
        room(tmp_path) as (server, link),
        AsyncCamera(server.receiver_link, quiet=True) as camera,
        phone(link, name="one") as one,
        phone(link, name="two") as two,
    ):
        seen: set[str] = set()
        async with asyncio.timeout(SECONDS):
            async for frame in camera:
                seen.add(frame.sender)
                if seen == {one.id, two.id}:
                    break
            for _ in range(5):
                assert (await camera.read(two.id)).name == "two"
        assert {phone.name for phone in camera.phones.values()} == {"one", "two"}


async def test_where_no_phone_is_there_the_next_one_is_waited_for(tmp_path: Path) -> None:
    """One that leaves is no error; the frames of that one alone end."""
    async with (
        room(tmp_path) as (server, link),
        AsyncCamera(server.receiver_link, quiet=True) as camera,
    ):
        async with phone(link) as sender:
            await take(camera, 2)
            own = camera.frames(sender.id)
            await asyncio.wait_for(anext(own), SECONDS)
        async with asyncio.timeout(SECONDS):
            assert [frame async for frame in own] in ([],)
        async with phone(link) as again:
            assert (await take(camera, 1))[0].sender == again.id


async def test_a_lost_phone_is_raised_where_that_is_asked_for(tmp_path: Path) -> None:
    """Once; whoever reads on waits for the next phone."""
    async with (
        room(tmp_path) as (server, link),
        AsyncCamera(server.receiver_link, lost="raise", quiet=True) as camera,
    ):
        async with phone(link):
            await take(camera, 1)
        with pytest.raises(PhoneLost):
            await take(camera, 1000)
        async with phone(link) as again:
            assert (await take(camera, 1))[0].sender == again.id


async def test_waiting_for_a_frame_has_a_limit(tmp_path: Path) -> None:
    """No phone within the time that was asked for: TimeoutError, in a sentence."""
    async with (
        room(tmp_path) as (server, _link),
        AsyncCamera(server.receiver_link, timeout=0.05, quiet=True) as camera,
    ):
        with pytest.raises(TimeoutError, match=r"No frame has come for 0\.05 s"):
            await camera.read()


async def test_a_viewer_may_watch_too(tmp_path: Path) -> None:
    """A viewer's link is enough for frames, and its answer names no phone's link."""
    async with room(tmp_path) as (server, link), phone(link):
        fragment = server.viewer_link.partition("#")[2]
        viewer = f"http://127.0.0.1:{server.local_port}/viewer#{fragment}"
        async with AsyncCamera(viewer) as camera:
            assert await take(camera, 2)


async def test_it_starts_a_server_of_its_own_and_prints_the_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The phone's link is printed to standard error; a second program joins the same server; and
    nothing is left when both are over."""
    own_folder(monkeypatch, tmp_path)
    port, local_port = free_ports(2)
    async with AsyncCamera(port=port, local_port=local_port) as camera:
        said = capsys.readouterr()
        assert said.out == ""
        (address,) = [line for line in said.err.splitlines() if line.startswith("  Phone ")]
        assert "█" in said.err
        link = f"http://127.0.0.1:{local_port}/sender#{address.partition('#')[2]}"
        async with AsyncCamera() as second, phone(link) as sender:
            (one,), (two,) = await asyncio.gather(take(camera, 1), take(second, 1))
            assert one.sender == two.sender == sender.id
        assert address in capsys.readouterr().err
    assert not list(state_folder.locate().glob("control-*"))
    with pytest.raises(ConnectionEnded):
        await camera.read()


@pytest.mark.parametrize("known", ["PEM", "DER", "own", "not"])
async def test_a_server_is_trusted_by_the_authority_that_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: str
) -> None:
    """By the file that was given, as its trust page offers it, or as this user's own server."""
    own_folder(monkeypatch, tmp_path)
    folder = state_folder.locate() if known == "own" else tmp_path / "other"
    async with room(folder) as (server, link), phone(link):
        pem = tls.ca_certificate(folder).decode()
        file = tmp_path / "ca"
        file.write_bytes(pem.encode() if known == "PEM" else ssl.PEM_cert_to_DER_cert(pem))
        ca_file = file if known in ("PEM", "DER") else None
        secure = server.link(server.public_origin(), "receiver", server.room)
        assert secure.startswith("https:")
        if known == "not":
            with pytest.raises(ConnectionError, match=r"lenscast-ca\.crt"):
                async with AsyncCamera(secure, quiet=True):
                    pass
            return
        async with AsyncCamera(secure, ca_file=ca_file, quiet=True) as camera:
            assert await take(camera, 1)


async def test_a_port_that_is_taken_is_said_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names what to do about it in Python."""
    own_folder(monkeypatch, tmp_path / "own")
    async with room(tmp_path / "other") as (server, _link):
        with pytest.raises(SetupError, match=r"lenscast\.open\(port=0, local_port=0\)"):
            async with AsyncCamera(port=server.port, local_port=0, quiet=True):
                pass


async def test_a_link_of_a_sender_is_refused() -> None:
    """It is for phones."""
    with pytest.raises(ValueError, match="not the link of a receiver or a viewer"):
        async with AsyncCamera("http://127.0.0.1:1/sender#room.key"):
            pass
