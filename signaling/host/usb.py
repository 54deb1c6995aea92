"""A phone on a USB cable: `adb reverse` carries the pages and the relay, without any network.

Owns the calls to adb. On the phone, the local port of `localhost` is then the laptop's local port.
Browsers treat localhost as secure, so there is no certificate to accept.
"""

import asyncio
import logging
import shlex
import shutil
from collections.abc import Callable

from signaling.setup_error import SetupError

log = logging.getLogger(__name__)

_SECONDS = 15.0

_NO_ADB = (
    "--usb needs adb, which is not installed. Install it (Debian and Ubuntu: apt install adb; "
    "macOS: brew install android-platform-tools; Windows: Android's platform-tools)."
)
_NO_PHONE = (
    "adb finds no phone. Connect the phone with a cable that carries data, and switch on USB "
    "debugging: Settings, About phone, tap Build number seven times, then Developer options."
)
_NOT_AUTHORISED = (
    "The phone has not authorised this laptop. Unlock the phone, allow USB debugging when it "
    "asks, and start again."
)


class UsbPhones:
    """The phones that reach a local port of this laptop through their cable.

    Parameters
    ----------
    port: the local port, with the same number on the laptop and on each phone.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._serials: list[str] = []

    async def attach(self, path: Callable[[], str]) -> int:
        """Let each phone reach the port, and open a page on the phone.

        Parameters
        ----------
        path: returns the path of a page on `http://localhost:PORT`, a new one for each phone.

        Returns
        -------
        The number of phones.

        Raises
        ------
        SetupError: adb is missing or fails, or no connected phone has authorised this laptop.
        """
        for serial in _authorised(await _adb("devices")):
            await _adb("-s", serial, "reverse", f"tcp:{self._port}", f"tcp:{self._port}")
            self._serials.append(serial)
            page = shlex.quote(f"http://localhost:{self._port}{path()}")
            # Through standard input: every user of this computer can see a program's arguments.
            command = f"am start -a android.intent.action.VIEW -d {page}\n"
            await _adb("-s", serial, "shell", text=command)
        return len(self._serials)

    async def detach(self) -> None:
        """Remove the port from the phones again. Unplugged phones have lost it already."""
        for serial in self._serials:
            try:
                await _adb("-s", serial, "reverse", "--remove", f"tcp:{self._port}")
            except SetupError as error:
                log.debug("a phone is already gone: %s", error)
        self._serials.clear()


def _authorised(listing: str) -> list[str]:
    states = [line.split("\t") for line in listing.splitlines() if "\t" in line]
    ready = [serial for serial, state in states if state == "device"]
    if ready:
        return ready
    if any(state == "unauthorized" for _serial, state in states):
        raise SetupError(_NOT_AUTHORISED)
    raise SetupError(_NO_PHONE)


async def _adb(*words: str, text: str = "") -> str:
    program = shutil.which("adb")
    if program is None:
        raise SetupError(_NO_ADB)
    process = await asyncio.create_subprocess_exec(
        program,
        *words,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(_SECONDS):
            out, err = await process.communicate(text.encode())
    except TimeoutError as error:
        process.kill()
        await process.wait()
        raise SetupError(
            f"adb did not answer within {_SECONDS:g} s. Try: adb kill-server."
        ) from error
    if process.returncode:
        said = err.decode(errors="replace").strip().splitlines()
        raise SetupError(f"adb failed: {said[-1] if said else 'it does not say why'}.")
    return out.decode(errors="replace")
