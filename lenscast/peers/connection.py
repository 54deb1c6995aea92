"""An RTCPeerConnection that says what goes wrong in its background, and whose queues are bounded.

aiortc connects, receives and decodes in tasks and threads of its own, and holds on to none of them:
what fails there is only logged, when the task is collected. This is the one place that
knows the private parts in which it does so; its tests notice when those change.
"""

import asyncio
import queue
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from aiortc import (
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpTransceiver,
    RTCSessionDescription,
)
from aiortc.rtcdtlstransport import RTCDtlsTransport

from lenscast.peers import frame_size
from lenscast.peers.prompt_buffer import PromptBuffer

UNDECODED = 32
"""How many encoded frames wait for the decoder: a second of video."""
UNREAD = 1024
"""How many datagrams wait to be read, as before the connection is encrypted."""
CLOSE_SECONDS = 10.0
"""After this time aiortc waits for something that will not happen; mostly it takes milliseconds."""


class GuardedConnection(RTCPeerConnection):
    """A peer connection whose background is watched.

    Parameters
    ----------
    configuration: as RTCPeerConnection takes it.
    stumbled: called with each error that the remote peer has caused in the background; the
        connection is of no more use then.
    """

    def __init__(
        self, configuration: RTCConfiguration | None, stumbled: Callable[[BaseException], None]
    ) -> None:
        super().__init__(configuration)
        self._stumbled = stumbled
        self._transports: list[RTCDtlsTransport] = []
        self._connecting: set[asyncio.Task[Any]] = set()
        self._applying: set[asyncio.Task[None]] = set()
        self._ending: asyncio.Task[None] | None = None

    async def setRemoteDescription(self, sessionDescription: RTCSessionDescription) -> None:
        """Apply the remote peer's description; `close` waits for it, also where it is given up.

        aioice waits for the end of a socket in such a way that a transport which it was closing
        when it was cancelled can never be closed.
        """
        task = asyncio.ensure_future(super().setRemoteDescription(sessionDescription))
        self._applying.add(task)
        task.add_done_callback(self._applied)
        await asyncio.shield(task)

    async def close(self) -> None:
        """Close the connection. It ends, also where aiortc fails at closing or closes twice."""
        if self._ending is None:
            self._ending = asyncio.create_task(self._end(), name="closing a connection")
            self._ending.add_done_callback(self._look_at)
        await asyncio.wait({self._ending}, timeout=CLOSE_SECONDS)
        self._ending.cancel()

    def _applied(self, task: asyncio.Task[None]) -> None:
        self._applying.discard(task)
        if not task.cancelled():
            task.exception()  # Whoever applied it is told, or has given it up.

    async def _end(self) -> None:
        if self._applying:
            await asyncio.wait(self._applying)
        # What goes on connecting while aiortc closes would begin to send, and never end.
        while self._connecting:
            for task in self._connecting:
                task.cancel()
            await asyncio.wait(self._connecting)
        try:
            await super().close()
        finally:
            # Those after the one that aiortc has failed at.
            for transport in self._transports:
                await transport.stop()
                await transport.transport.stop()
                await transport.transport._connection.close()

    async def _RTCPeerConnection__connect(self) -> None:
        if self._ending is not None:
            return
        if (task := asyncio.current_task()) is not None:
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)
        try:
            await super()._RTCPeerConnection__connect()  # type: ignore[misc]
        except Exception as error:  # noqa: BLE001 - aiortc asserts what a peer may say otherwise
            self._stumbled(error)

    def _RTCPeerConnection__createDtlsTransport(self) -> RTCDtlsTransport:
        create = super()._RTCPeerConnection__createDtlsTransport  # type: ignore[misc]
        transport: RTCDtlsTransport = create()
        self._transports.append(transport)
        transport.transport._connection._queue = _Datagrams(UNREAD)

        def on_state() -> None:
            # This is called by the task that reads, when it ends.
            if transport.state == "closed" and transport._task is not None:
                transport._task.add_done_callback(self._look_at)

        transport.on("statechange", on_state)
        return transport

    def _RTCPeerConnection__createTransceiver(self, *args: Any, **named: Any) -> RTCRtpTransceiver:
        create = super()._RTCPeerConnection__createTransceiver  # type: ignore[misc]
        transceiver: RTCRtpTransceiver = create(*args, **named)
        receiver: Any = transceiver.receiver
        sender: Any = transceiver.sender
        lost = receiver._RTCRtpReceiver__decoder_error
        receiver._RTCRtpReceiver__decoder_queue = _Undecoded(lost)
        if transceiver.kind == "video":
            receiver._RTCRtpReceiver__jitter_buffer = PromptBuffer()
        self._guard_reports(receiver, receiver._RTCRtpReceiver__rtcp_exited)
        self._guard_reports(sender, sender._RTCRtpSender__rtcp_exited)
        return transceiver

    def _guard_reports(self, end: Any, exited: asyncio.Event) -> None:
        """Let the task that sends RTCP reports always say that it has ended: `stop` waits for it,
        and reports hold numbers that the remote peer can make too large for their fields."""
        run: Callable[[], Awaitable[None]] = end._run_rtcp

        async def guarded() -> None:
            try:
                await run()
            except Exception as error:  # noqa: BLE001 - struct.error, and whatever else
                self._stumbled(error)
            finally:
                exited.set()

        end._run_rtcp = guarded

    def _look_at(self, task: "asyncio.Future[Any]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._stumbled(error)


class _Datagrams(asyncio.Queue[Any]):
    """What has come by a path and is not read: of more than it holds the newest is lost, as on any
    network. Anybody may send to a port, also before it is known who the remote peer is."""

    def put_nowait(self, item: Any) -> None:
        if item is None and self.full():  # The end, which whoever reads has to hear of.
            self.get_nowait()
        if not self.full():
            super().put_nowait(item)


class _Undecoded(queue.Queue[Any]):
    """The encoded frames of a track. Where the decoder is too slow, all of them are dropped, and a
    picture is asked for that needs none of them (RFC 4585 6.3.1). FrameTooLarge, raised over one,
    ends the task that reads the packets, and the connection with it.

    Parameters
    ----------
    lost: to be set when frames were lost.
    """

    def __init__(self, lost: threading.Event) -> None:
        super().__init__()
        self._lost = lost

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        if item is not None:
            codec, frame = item
            frame_size.check(codec.name, frame.data)
        with self.mutex:
            # Nobody waits for what is left when the track ends; the event loop would.
            if len(self.queue) >= UNDECODED or item is None:
                self.queue.clear()
                self._lost.set()
        super().put(item, block, timeout)
