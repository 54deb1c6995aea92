"""What the server counts about itself, in the text format of Prometheus.

Owns the names and meanings of the figures. Each instance has a registry of its own, so two servers
in one process count separately.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Prometheus' text-based format, version 0.0.4: https://prometheus.io/docs/instrumenting/."""

SETUP_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The figures of one server.

    A label never holds text that a client wrote. Message types and error codes are those of
    docs/protocol.md, so a client cannot create an endless number of series.
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._connections = Gauge(
            "lenscast_connections", "Clients connected now.", ["transport"], registry=self._registry
        )
        self._arrivals = Counter(
            "lenscast_connections_opened",
            "Clients that have connected.",
            ["transport"],
            registry=self._registry,
        )
        self._messages = Counter(
            "lenscast_messages_received",
            "Messages that were understood, by type.",
            ["type"],
            registry=self._registry,
        )
        # Looking a label up takes longer than counting.
        self._of_type: dict[str, Counter] = {}
        self._refusals = Counter(
            "lenscast_refusals",
            "Messages and connections that were refused, by error code.",
            ["code"],
            registry=self._registry,
        )
        self._reconnections = Counter(
            "lenscast_reconnections",
            "Clients that came back as the same peer.",
            registry=self._registry,
        )
        self._setup = Histogram(
            "lenscast_setup_seconds",
            "Seconds from a client's connection to its registration.",
            buckets=SETUP_BUCKETS,
            registry=self._registry,
        )

    def connected(self, transport: str) -> None:
        """Count a client that has connected by `transport`, such as "websocket"."""
        self._connections.labels(transport).inc()
        self._arrivals.labels(transport).inc()

    def disconnected(self, transport: str) -> None:
        """Count out a client that had connected by `transport`."""
        self._connections.labels(transport).dec()

    def received(self, type: str) -> None:  # noqa: A002 - the name of the field
        """Count a message of this type that was understood."""
        counter = self._of_type.get(type)
        if counter is None:
            counter = self._of_type[type] = self._messages.labels(type)
        counter.inc()

    def refused(self, code: str) -> None:
        """Count a message or a connection that was refused with this code."""
        self._refusals.labels(code).inc()

    def reconnected(self) -> None:
        """Count a client that came back as the same peer."""
        self._reconnections.inc()

    def setup(self, seconds: float) -> None:
        """Record how long it took from connecting to being registered."""
        self._setup.observe(seconds)

    def watch(
        self,
        *,
        rooms: Callable[[], int],
        peers: Callable[[], Mapping[str, int]],
        relay: Callable[[], Mapping[str, Any]] | None,
        waiting: Callable[[], int] = int,
        away_bytes: Callable[[], int] = int,
        held_back: Callable[[], int] = int,
    ) -> None:
        """Set where to read the figures that are looked up on each request. Call this once.

        Parameters
        ----------
        rooms: returns how many rooms have at least one peer in them.
        peers: returns how many peers there are of each role.
        relay: returns the embedded relay's figures, as `EmbeddedTurn.figures` does; None: there
            is no embedded relay.
        waiting: returns how many addresses have to wait because of wrong keys.
        away_bytes: returns how many bytes of messages wait for peers that are away.
        held_back: returns how many log lines were counted instead of written, since the start.
        """
        self._registry.register(
            _Present(rooms, peers, relay, _Pressure(waiting, away_bytes, held_back))
        )

    def text(self) -> bytes:
        """Return all figures in the text format."""
        return generate_latest(self._registry)


@dataclass(frozen=True)
class _Pressure:
    """What shows that somebody tries too much."""

    waiting: Callable[[], int]
    away_bytes: Callable[[], int]
    held_back: Callable[[], int]

    def collect(self) -> Iterable[Metric]:
        yield GaugeMetricFamily(
            "lenscast_waiting_addresses",
            "Addresses that have to wait because of wrong keys.",
            value=self.waiting(),
        )
        yield GaugeMetricFamily(
            "lenscast_away_bytes",
            "Bytes of messages that wait for peers that are away.",
            value=self.away_bytes(),
        )
        yield CounterMetricFamily(
            "lenscast_log_lines_held_back",
            "Log lines that were counted instead of written.",
            value=self.held_back(),
        )


class _Present(Collector):
    """Figures that are looked up on each request."""

    def __init__(
        self,
        rooms: Callable[[], int],
        peers: Callable[[], Mapping[str, int]],
        relay: Callable[[], Mapping[str, Any]] | None,
        pressure: _Pressure,
    ) -> None:
        self._rooms = rooms
        self._peers = peers
        self._relay = relay
        self._pressure = pressure

    def collect(self) -> Iterable[Metric]:
        yield GaugeMetricFamily(
            "lenscast_rooms", "Rooms with at least one peer in them.", value=self._rooms()
        )
        peers = GaugeMetricFamily("lenscast_peers", "Peers now, by role.", labels=["role"])
        for role, count in self._peers().items():
            peers.add_metric([role], count)
        yield peers
        yield from self._pressure.collect()
        if self._relay is not None:
            yield from _relay_figures(self._relay())


def _relay_figures(figures: Mapping[str, Any]) -> Iterable[Metric]:
    for name, about in (
        ("allocations", "Allocations of the embedded relay now."),
        ("tcp_connections", "TCP and TLS connections of the embedded relay now."),
    ):
        yield GaugeMetricFamily(f"lenscast_relay_{name}", about, value=figures[name])
    for name, about in (
        ("packets", "Packets that the embedded relay has forwarded."),
        ("bytes", "Bytes that the embedded relay has forwarded."),
    ):
        yield CounterMetricFamily(f"lenscast_relay_{name}", about, value=figures[name])
    for name, about in (
        ("drops", "Packets that the embedded relay has dropped, by reason."),
        ("refusals", "Requests that the embedded relay has refused, by error code."),
        ("unsigned", "Requests over UDP without proof of their origin, by what became of them."),
    ):
        family = CounterMetricFamily(f"lenscast_relay_{name}", about, labels=["reason"])
        for reason, count in figures.get(name, {}).items():
            family.add_metric([str(reason)], count)
        yield family
