"""A video file as a track: its pictures come at its pace, again and again."""

import asyncio
from pathlib import Path

import av
import pytest
from aiortc.mediastreams import MediaStreamError
from av.video.frame import PictureType

from lenscast.peers.picture import VideoFile
from tests.lenscast.numbered_picture import read_number, write_video


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.webm", "libvpx")])
async def test_a_file_plays_at_its_pace_and_begins_again(
    tmp_path: Path, name: str, codec: str
) -> None:
    """All its pictures come in order, then again, and the time goes on growing."""
    track = await VideoFile.open(write_video(tmp_path / name, 8, codec=codec))
    assert track.frame_rate == pytest.approx(25)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    frames = [await track.recv() for _ in range(20)]
    assert [read_number(frame) for frame in frames] == [n % 8 for n in range(20)]
    assert [frame.time for frame in frames] == pytest.approx([n / 25 for n in range(20)], abs=0.002)
    assert loop.time() - begun >= 19 / 25 - 0.01
    assert {frame.pict_type for frame in frames} == {PictureType.NONE}
    track.stop()
    with pytest.raises(MediaStreamError):
        await track.recv()


async def test_a_file_goes_on_at_its_pace_after_a_pause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was missed is not made up for in a burst."""
    monkeypatch.setattr("lenscast.peers.picture.LATE_SECONDS", 0.2)
    track = await VideoFile.open(write_video(tmp_path / "a.mp4", 25))
    await track.recv()
    await asyncio.sleep(0.4)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    numbers = [read_number(await track.recv()) for _ in range(6)]
    assert numbers == [1, 2, 3, 4, 5, 6]
    assert loop.time() - begun >= 5 / 25 - 0.01
    track.stop()


async def test_a_file_that_is_not_there_is_an_error_at_once(tmp_path: Path) -> None:
    """Opening raises, not the first frame."""
    with pytest.raises(FileNotFoundError):
        await VideoFile.open(tmp_path / "none.mp4")


async def test_a_file_without_a_picture_is_an_error_at_once(tmp_path: Path) -> None:
    """Sound alone cannot be sent as a picture."""
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame(format="s16", layout="mono", samples=800)
        frame.planes[0].update(bytes(1600))
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(ValueError, match="no picture"):
        await VideoFile.open(path)


async def test_what_is_not_a_video_is_an_error_at_once(tmp_path: Path) -> None:
    """A file that FFmpeg does not know cannot be opened."""
    path = tmp_path / "text.mp4"
    path.write_text("no video")
    with pytest.raises(av.FFmpegError):
        await VideoFile.open(path)


async def test_a_file_that_cannot_be_decoded_is_an_error(tmp_path: Path) -> None:
    """What goes wrong in the thread reaches who asked for the frame."""
    path = write_video(tmp_path / "a.webm", 5, codec="libvpx")
    start_code = b"\x9d\x01\x2a"  # RFC 6386 9.1: each key frame of VP8 has it.
    assert start_code in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(start_code, b"\0\0\0"))
    track = await VideoFile.open(path)

    async def play() -> None:
        for _ in range(5):
            await track.recv()

    with pytest.raises(av.FFmpegError):
        await play()
    track.stop()
