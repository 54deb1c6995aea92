"""Firefox for the tests, driven over WebDriver BiDi (https://w3c.github.io/webdriver-bidi/).

Owns the process with its fresh profile, the connection to it and its windows. Knows nothing of
Lenscast's pages; imports Tornado's WebSocket client only. Every wait here has a timeout.
"""

import asyncio
import base64
import contextlib
import itertools
import json
import os
import re
import shutil
import signal
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from tornado.websocket import WebSocketClientConnection, websocket_connect

FIREFOX = "firefox-esr"
SECONDS = 40.0
"""How long one command and one awaited condition may take."""
STARTUP_SECONDS = 60.0
POLL_SECONDS = 0.05
MAX_MESSAGE_BYTES = 64 * 1024 * 1024  # A screenshot is one message.

PREFERENCES: dict[str, bool | int | str] = {
    # A made camera and microphone, and nobody to ask for them.
    "media.navigator.streams.fake": True,
    "media.navigator.permission.disabled": True,
    "permissions.default.camera": 1,
    "permissions.default.microphone": 1,
    # Both ends are on this host. Firefox leaves loopback out, and hides host addresses behind
    # mDNS names, which need a network with multicast.
    "media.peerconnection.ice.loopback": True,
    "media.peerconnection.ice.obfuscate_host_addresses": False,
    # No H.264 plug-in to be fetched: VP8 and VP9 are built in.
    "media.gmp-manager.updateEnabled": False,
    "media.gmp-provider.enabled": False,
    # One empty window, and nothing of its own on the network.
    "app.normandy.enabled": False,
    "app.update.disabledForTesting": True,
    "browser.aboutwelcome.enabled": False,
    "browser.newtabpage.enabled": False,
    "browser.region.network.url": "",
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.safebrowsing.update.enabled": False,
    "browser.search.update": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.homepage_override.mstone": "ignore",
    "browser.startup.page": 0,
    "datareporting.healthreport.uploadEnabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.getAddons.cache.enabled": False,
    "extensions.systemAddon.update.enabled": False,
    "extensions.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "network.dns.disablePrefetch": True,
    "network.proxy.type": 0,
    "network.trr.mode": 5,
    "nimbus.rollouts.enabled": False,
    "services.settings.server": "data:,#remote-settings-dummy/v1",
    "toolkit.telemetry.server": "",
}
# A release build heeds services.settings.server with the first of these only.
ENVIRONMENT = {"MOZ_REMOTE_SETTINGS_DEVTOOLS": "1", "MOZ_CRASHREPORTER_DISABLE": "1"}


class FirefoxError(Exception):
    """Firefox did not start, went away, or refused a command."""


class Connection:
    """One WebDriver BiDi session: commands with their results, and events."""

    def __init__(self, socket: WebSocketClientConnection) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self._results: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._reader = asyncio.create_task(self._read())
        self.log: list[dict[str, Any]] = []
        """What `log.entryAdded` told, as it came."""

    async def command(self, method: str, **params: Any) -> dict[str, Any]:
        """Run a command and give its result.

        Raises
        ------
        FirefoxError: it was refused, or Firefox went away.
        TimeoutError: there was no result in time.
        """
        if self._reader.done():
            raise FirefoxError(f"{method}: the connection to Firefox is closed")
        number = next(self._ids)
        result: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._results[number] = result
        try:
            async with asyncio.timeout(SECONDS):
                await self._socket.write_message(
                    json.dumps({"id": number, "method": method, "params": params})
                )
                return await result
        finally:
            del self._results[number]

    async def close(self) -> None:
        """Close the socket; commands under way fail."""
        self._socket.close()
        async with asyncio.timeout(SECONDS):
            await self._reader

    async def _read(self) -> None:
        try:
            while (text := await self._socket.read_message()) is not None:
                self._take(json.loads(text))
        finally:
            self._fail_all()

    def _take(self, message: dict[str, Any]) -> None:
        if message["type"] == "event":
            if message["method"] == "log.entryAdded":
                self.log.append(message["params"])
            return
        result = self._results.get(message["id"])
        if result is None or result.done():
            return  # It came after its timeout.
        if message["type"] == "success":
            result.set_result(message["result"])
        else:
            result.set_exception(FirefoxError(f"{message['error']}: {message['message']}"))

    def _fail_all(self) -> None:
        for result in self._results.values():
            if not result.done():
                result.set_exception(FirefoxError("the connection to Firefox was closed"))


class Page:
    """One window with one page in it."""

    def __init__(self, connection: Connection, context: str) -> None:
        self._connection = connection
        self._context = context

    async def goto(self, url: str) -> None:
        """Load an address, until its `load` event."""
        await self._command("browsingContext.navigate", url=url, wait="complete")

    async def before_scripts(self, statements: str) -> None:
        """Run JavaScript statements before a page's own, from the next load on."""
        await self._connection.command(
            "script.addPreloadScript",
            functionDeclaration=f"() => {{ {statements} }}",
            contexts=[self._context],
        )

    async def evaluate(self, function: str, *arguments: Any) -> Any:
        """Call a JavaScript function with JSON values; give its JSON value, awaited.

        Raises
        ------
        FirefoxError: it threw, or its promise was rejected.
        """
        called = f"async (text) => JSON.stringify(await ({function})(...JSON.parse(text)))"
        answer = await self._connection.command(
            "script.callFunction",
            functionDeclaration=called,
            arguments=[{"type": "string", "value": json.dumps(arguments)}],
            target={"context": self._context},
            awaitPromise=True,
            userActivation=True,
        )
        if answer["type"] == "exception":
            raise FirefoxError(answer["exceptionDetails"]["text"])
        return json.loads(answer["result"].get("value", "null"))

    async def wait_for(self, function: str, *arguments: Any) -> Any:
        """Call a JavaScript function until it gives something true, and give that.

        Raises
        ------
        AssertionError: it did not in time; tells what it gave last, and what the console said.
        """
        value = None
        try:
            async with asyncio.timeout(SECONDS):
                while not (value := await self.evaluate(function, *arguments)):
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            said = self.complaints()
            raise AssertionError(
                f"{function} with {arguments} gave {value!r} after {SECONDS} s; console: {said}"
            ) from None
        return value

    async def click(self, selector: str) -> None:
        """Press the mouse over the middle of an element, once it is there and shown."""
        await self.wait_for("(s) => document.querySelector(s)?.checkVisibility()", selector)
        found = await self._command(
            "browsingContext.locateNodes",
            locator={"type": "css", "value": selector},
            maxNodeCount=1,
        )
        element = {"type": "element", "element": {"sharedId": found["nodes"][0]["sharedId"]}}
        actions = [
            {"type": "pointerMove", "x": 0, "y": 0, "origin": element},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        mouse = {"type": "pointer", "id": "mouse", "actions": actions}
        await self._command("input.performActions", actions=[mouse])

    async def screenshot(self, path: Path) -> None:
        """Write what the window shows as a PNG file; for whoever looks for a fault."""
        picture = await self._command("browsingContext.captureScreenshot")
        path.write_bytes(base64.b64decode(picture["data"]))

    async def close(self) -> None:
        """Close the window."""
        await self._command("browsingContext.close")

    def complaints(self) -> list[str]:
        """The errors that the console showed, and uncaught exceptions."""
        return [
            str(entry["text"])
            for entry in self._connection.log
            if entry["level"] == "error" and entry["source"].get("context") == self._context
        ]

    async def _command(self, method: str, **params: Any) -> dict[str, Any]:
        return await self._connection.command(method, context=self._context, **params)


class Firefox:
    """A running Firefox."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._pages: list[Page] = []

    async def open(self, url: str, *, script: str = "") -> Page:
        """Open an address in a window of its own: what is in a tab behind another counts as hidden.

        Parameters
        ----------
        script: JavaScript statements to run before the page's own.
        """
        made = await self._connection.command("browsingContext.create", type="window")
        page = Page(self._connection, made["context"])
        self._pages.append(page)
        if script:
            await page.before_scripts(script)
        await page.goto(url)
        return page

    async def close_pages(self) -> list[str]:
        """Close all that was opened, and give what was complained of in it."""
        pages, self._pages = self._pages, []
        for page in pages:
            await page.close()
        return [complaint for page in pages for complaint in page.complaints()]


@contextlib.asynccontextmanager
async def firefox(folder: Path) -> AsyncIterator[Firefox]:
    """Run a headless Firefox until the end of the block; certificates of any maker are taken.

    Parameters
    ----------
    folder: an empty one, for the profile, what stands for the home folder, and Firefox's log.

    Raises
    ------
    FirefoxError: it did not start.
    """
    profile = folder / "profile"
    profile.mkdir()
    lines = [f"user_pref({json.dumps(k)}, {json.dumps(v)});" for k, v in PREFERENCES.items()]
    (profile / "user.js").write_text("\n".join(lines))
    log = folder / "firefox.log"
    process = await _start(profile, log)
    try:
        socket = await websocket_connect(
            f"{await _address(process, log)}/session", max_message_size=MAX_MESSAGE_BYTES
        )
        connection = Connection(socket)
        try:
            await connection.command(
                "session.new", capabilities={"alwaysMatch": {"acceptInsecureCerts": True}}
            )
            await connection.command("session.subscribe", events=["log.entryAdded"])
            yield Firefox(connection)
        finally:
            await connection.close()
    finally:
        # Nothing of the profile is kept, so nothing has to be asked to end. The processes of the
        # pages are in the group; the crash helper is not, and ends when Firefox has.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def _start(profile: Path, log: Path) -> Process:
    home = str(profile.parent)
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    with log.open("wb") as file:
        return await asyncio.create_subprocess_exec(
            shutil.which(FIREFOX) or FIREFOX,
            *("--headless", "--no-remote", "--profile", str(profile)),
            *("--remote-debugging-port", "0", "about:blank"),
            env=kept | ENVIRONMENT | {"HOME": home, "TMPDIR": home},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )


async def _address(process: Process, log: Path) -> str:
    """Where Firefox says that it listens, as `ws://host:port`."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(STARTUP_SECONDS):
            while process.returncode is None:
                said = log.read_text(errors="replace")
                found = re.search(r"^WebDriver BiDi listening on (ws://\S+)$", said, re.MULTILINE)
                if found:
                    return found[1]
                await asyncio.sleep(POLL_SECONDS)
    raise FirefoxError(f"Firefox does not listen; it said: {log.read_text(errors='replace')}")
