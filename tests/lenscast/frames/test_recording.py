"""A file of pictures: what is in it, and what is left of it when something goes wrong."""

import shutil
from pathlib import Path

import av
import pytest

from lenscast.frames.recording import FORMATS, Recording
from tests.lenscast.numbered_picture import Pattern, read_number

RATE = 10


def read(path: Path) -> list[av.VideoFrame]:
    """Every frame of a file."""
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def draw(recording: Recording, numbers: range, width: int = 320, height: int = 240) -> None:
    pattern = Pattern(width, height)
    for number in numbers:
        recording.add(pattern.draw(number), 1000 + number / RATE)


@pytest.mark.parametrize("ending", FORMATS)
def test_each_picture_is_in_the_file_at_its_time(tmp_path: Path, ending: str) -> None:
    """Also where there was a pause between two of them."""
    path = tmp_path / f"a{ending}"
    recording = Recording(path)
    draw(recording, range(20))
    draw(recording, range(100, 120))
    recording.close()
    frames = read(path)
    expected = [*range(20), *range(100, 120)]
    assert [read_number(frame) for frame in frames] == expected
    times = [frame.time - frames[0].time for frame in frames]
    assert times == pytest.approx([number / RATE for number in expected], abs=0.002)


@pytest.mark.parametrize("ending", FORMATS)
def test_a_picture_of_another_size_is_fitted_in(tmp_path: Path, ending: str) -> None:
    """A phone that is turned: the file keeps its size, with black beside the picture."""
    path = tmp_path / f"a{ending}"
    recording = Recording(path)
    draw(recording, range(10))
    draw(recording, range(10, 20), 240, 320)
    draw(recording, range(20, 30), 640, 480)
    recording.close()
    frames = read(path)
    assert len(frames) == 30
    assert {(frame.width, frame.height) for frame in frames} == {(320, 240)}
    assert [read_number(frame) for frame in frames[:10]] == list(range(10))
    assert [read_number(frame) for frame in frames[20:]] == list(range(20, 30))
    gray = frames[15].to_ndarray(format="gray")
    assert gray[:, 5:60].max() < 40
    assert gray[:, 260:315].max() < 40
    assert gray[:, 80:240].max() > 150


def test_a_picture_of_an_odd_size_is_recorded(tmp_path: Path) -> None:
    """A pixel is left out of each side that encoders cannot halve."""
    recording = Recording(tmp_path / "a.mp4")
    recording.add(av.VideoFrame(321, 241, "yuv420p"), 0.0)
    recording.close()
    assert [(frame.width, frame.height) for frame in read(tmp_path / "a.mp4")] == [(320, 240)]


def test_times_that_go_back_do_no_harm(tmp_path: Path) -> None:
    """A computer's clock may be set while it records."""
    recording = Recording(tmp_path / "a.mkv")
    pattern = Pattern(320, 240)
    for number, time in enumerate((5.0, 5.1, 2.0, 2.1, 5.2)):
        recording.add(pattern.draw(number), time)
    recording.close()
    assert [read_number(frame) for frame in read(tmp_path / "a.mkv")] == list(range(5))


@pytest.mark.parametrize("ending", FORMATS)
def test_what_was_written_plays_without_its_end(tmp_path: Path, ending: str) -> None:
    """Of 8.9 s at most the last second is missing, in a file that nobody has finished."""
    path, left = tmp_path / f"a{ending}", tmp_path / f"left{ending}"
    recording = Recording(path)
    draw(recording, range(90))
    shutil.copy(path, left)
    recording.close()
    numbers = [read_number(frame) for frame in read(left)]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= 80
