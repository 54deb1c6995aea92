"""A phone on a cable, with a fake adb that records how it was called."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from signaling.host.usb import UsbPhones
from signaling.setup_error import SetupError

STAND_IN = """#!{python}
import pathlib, sys, time
folder = pathlib.Path(__file__).parent
words = sys.argv[1:]
with (folder / "calls").open("a") as calls:
    print(*words, file=calls)
if words == ["devices"]:
    print("List of devices attached")
    print((folder / "devices").read_text())
if "shell" in words:
    (folder / "shell").write_text(sys.stdin.read())
if (folder / "fail").exists() and "reverse" in words:
    sys.exit("adb: error: something is wrong")
if (folder / "hang").exists():
    time.sleep(60)
"""


@pytest.fixture
def adb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with the fake adb, which is alone on the PATH and has one phone."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "adb"
    script.write_text(STAND_IN.format(python=sys.executable))
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    (folder / "devices").write_text("PHONE1\tdevice\n")
    monkeypatch.setenv("PATH", str(folder))
    return folder


def calls(adb: Path) -> list[str]:
    return (adb / "calls").read_text().splitlines()


async def test_a_phone_gets_the_port_and_the_page(adb: Path) -> None:
    """The phone gets the port and opens the page, and no argument holds its address."""
    phones = UsbPhones(8080)
    assert await phones.attach(lambda: "/open/abc") == 1
    assert calls(adb) == [
        "devices",
        "-s PHONE1 reverse tcp:8080 tcp:8080",
        "-s PHONE1 shell",
    ]
    assert (adb / "shell").read_text() == (
        "am start -a android.intent.action.VIEW -d http://localhost:8080/open/abc\n"
    )
    await phones.detach()
    assert calls(adb)[-1] == "-s PHONE1 reverse --remove tcp:8080"


async def test_every_phone_that_is_there_gets_it(adb: Path) -> None:
    """Two phones get two pages; a phone that has not authorised this laptop is skipped."""
    (adb / "devices").write_text("A\tdevice\nB\tunauthorized\nC\tdevice\n")
    assert await UsbPhones(8080).attach(lambda: "/sender") == 2
    assert not [call for call in calls(adb) if call.startswith("-s B")]


@pytest.mark.parametrize(
    ("devices", "sentence"),
    [
        ("", "adb finds no phone"),
        ("A\toffline", "adb finds no phone"),
        ("A\tunauthorized", "has not authorised this laptop"),
    ],
)
async def test_without_a_phone_one_sentence_says_what_to_do(
    adb: Path, devices: str, sentence: str
) -> None:
    """If there is no phone, or none has authorised this laptop, one sentence says what to do."""
    (adb / "devices").write_text(devices)
    with pytest.raises(SetupError, match=sentence):
        await UsbPhones(8080).attach(lambda: "/sender")


async def test_without_adb_one_sentence_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If adb is not on the PATH, one sentence says how to install it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SetupError, match=r"needs adb.*apt install adb"):
        await UsbPhones(8080).attach(lambda: "/sender")


async def test_what_adb_says_when_it_fails_is_passed_on(adb: Path) -> None:
    """If adb fails, the error is one sentence with adb's last line."""
    (adb / "fail").touch()
    with pytest.raises(SetupError, match=r"adb failed: adb: error: something is wrong"):
        await UsbPhones(8080).attach(lambda: "/sender")


async def test_an_adb_that_hangs_is_given_up(adb: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An adb that hangs is stopped after a while."""
    monkeypatch.setattr("signaling.host.usb._SECONDS", 1.0)
    (adb / "hang").touch()
    with pytest.raises(SetupError, match="did not answer"):
        await UsbPhones(8080).attach(lambda: "/sender")


async def test_a_phone_unplugged_meanwhile_does_no_harm(adb: Path) -> None:
    """Removing the port from an unplugged phone fails without an error."""
    phones = UsbPhones(8080)
    await phones.attach(lambda: "/sender")
    (adb / "fail").touch()
    await phones.detach()


def command(tmp_path: Path, path: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lenscast", "--usb", "--no-open", "--port=0", "--local-port=0"],
        capture_output=True,
        text=True,
        timeout=20,
        env={**os.environ, "PATH": path, "XDG_STATE_HOME": str(tmp_path)},
    )


def test_the_command_says_what_is_missing(tmp_path: Path) -> None:
    """Without adb, `lenscast --usb` prints one sentence and ends with exit code 2."""
    done = command(tmp_path, str(tmp_path))
    assert done.returncode == 2
    assert done.stderr.startswith("lenscast: --usb needs adb")
    assert "Traceback" not in done.stderr
    assert shutil.which("adb", path=str(tmp_path)) is None
