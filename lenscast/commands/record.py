"""`lenscast record`: the phone's picture, into a file."""

import argparse
import asyncio
import errno
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lenscast.commands.links import duration
from signaling import serve
from signaling.setup_error import SetupError
from turn.tasks import report_death

if TYPE_CHECKING:
    from lenscast.frames.recorder import Recorder

EXAMPLE = """\
example:
  lenscast record walk.mp4                  until Ctrl-C
  lenscast record walk.mkv --duration 10m   ten minutes from the first frame on
"""
ENDINGS = (".mp4", ".mkv", ".webm")
LINE_SECONDS = 10
"""Between two lines of progress where there is no terminal; there it is one line, each second."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `lenscast record`."""
    parser.add_argument(
        "out", metavar="OUT", type=Path, help="the file: .mp4 or .mkv (H.264), or .webm (VP8)"
    )
    parser.add_argument(
        "--duration",
        metavar="TIME",
        type=duration,
        help="stop by itself this long after the first frame, such as 30s, 10m or 2h",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the file if there is one")
    parser.add_argument(
        "--link",
        help="a receiver's or viewer's link; - reads it from standard input, where other users of "
        "this computer cannot see it (default: the lenscast that runs here, or a new one)",
    )
    parser.add_argument(
        "--ca-file",
        metavar="FILE",
        type=Path,
        help="the certificate authority of a server on another computer, from its page /trust",
    )
    parser.add_argument(
        "--config", metavar="FILE", type=Path, help="the same as for lenscast serve"
    )
    parser.add_argument("--port", type=int, help="the same as for lenscast serve")
    parser.add_argument(
        "--local-port", metavar="PORT", type=int, help="the same as for lenscast serve"
    )


def run(arguments: argparse.Namespace) -> int:
    """Record until Ctrl-C, SIGTERM or the end of the time.

    Returns
    -------
    The exit code: 0 where there is a recording, 1 where no frame has come.
    """
    _check(arguments.out, overwrite=arguments.overwrite)
    return asyncio.run(_record(arguments))


def _check(out: Path, *, overwrite: bool) -> None:
    """Find out before the phone is there what would keep the file from being written."""
    if out.suffix.lower() not in ENDINGS:
        raise SetupError(f"{out} must end in {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}.")
    if out.exists() and not overwrite:
        raise SetupError(f"{out} is there already. Choose another name, or add --overwrite.")
    if not out.parent.is_dir():
        raise SetupError(f"There is no folder {out.parent}. Make it first: mkdir -p {out.parent}")
    if not os.access(out if out.exists() else out.parent, os.W_OK):
        raise SetupError(f"{out} cannot be written by this user. Choose another folder.")


async def _record(arguments: argparse.Namespace) -> int:
    # Imported here, since they need aiortc and av, and serving does not.
    import av

    from lenscast.frames.camera import AsyncCamera
    from lenscast.frames.recorder import Recorder
    from signaling.room.refusal import Refusal

    stopping = asyncio.Event()
    serve.stop_on_signals(stopping)
    recorder: Recorder | None = None
    problem: str | None = None
    try:
        async with AsyncCamera(
            sys.stdin.readline().strip() if arguments.link == "-" else arguments.link,
            ca_file=arguments.ca_file,
            config=arguments.config,
            port=arguments.port,
            local_port=arguments.local_port,
            name="Recorder",
        ) as camera:
            recorder = Recorder(camera, arguments.out)
            showing = asyncio.create_task(_show(recorder), name="line of progress")
            showing.add_done_callback(report_death)
            try:
                await recorder.run(stopping, arguments.duration)
            finally:
                showing.cancel()
    except (OSError, av.FFmpegError, Refusal, ValueError) as error:
        problem = _sentence(error)
    if recorder is None or not recorder.frames:
        if problem:
            raise SetupError(problem)
        print("No frame has come, so nothing was saved.", file=sys.stderr)
        return 1
    if sys.stderr.isatty():
        print(file=sys.stderr)
    print(f"Saved {arguments.out}: {_line(recorder)}")
    if problem:
        raise SetupError(f"{problem} What was recorded until then is in the file, and plays.")
    return 0


def _sentence(error: Exception) -> str:
    if getattr(error, "errno", None) == errno.ENOSPC:
        return "The disk is full. Make room, or record to another disk."
    text = str(error)
    return text if text.endswith(".") else f"{text}."


async def _show(recorder: "Recorder") -> None:
    terminal = sys.stderr.isatty()
    before = 0
    while True:
        pause = 1 if terminal else LINE_SECONDS
        await asyncio.sleep(pause)
        if recorder.frames:
            rate = 8 * (recorder.size - before) / pause / 1e6
            before = recorder.size
            start, end = ("\r  ", "   ") if terminal else ("", "\n")
            sys.stderr.write(f"{start}{_line(recorder)}, {rate:.1f} Mbit/s{end}")
            sys.stderr.flush()


def _line(recorder: "Recorder") -> str:
    minutes, seconds = divmod(int(recorder.seconds), 60)
    return (
        f"{minutes}:{seconds:02} minutes, {recorder.size / 1e6:.1f} MB, "
        f"{recorder.frames} frames, {recorder.dropped} dropped"
    )
