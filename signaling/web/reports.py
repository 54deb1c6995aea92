"""The reports for monitors: /healthz for everyone, /metrics for those the configuration allows."""

from collections.abc import Callable
from typing import Any, Literal

from tornado.web import RequestHandler

from signaling.metrics import CONTENT_TYPE, Metrics
from signaling.web.hosts import read_address

_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Real-IP", "Via")


class HealthHandler(RequestHandler):
    """/healthz: the state of the server, for people and monitors."""

    def initialize(self, report: Callable[[], dict[str, Any]]) -> None:
        """Tornado's constructor: a function that returns the report."""
        self._report = report

    def get(self) -> None:
        """Send the report as JSON."""
        self.set_header("Cache-Control", "no-store")
        self.finish(self._report())


class MetricsHandler(RequestHandler):
    """/metrics: the figures in Prometheus' text format."""

    def initialize(self, metrics: Metrics, readers: Literal["loopback", "everyone"]) -> None:
        """Tornado's constructor: the figures, and who may read them."""
        self._metrics = metrics
        self._readers = readers

    def get(self) -> None:
        """Send the figures, or the reason why not."""
        if self._readers == "loopback" and not self._is_local():
            self.set_status(403)
            self.set_header("Content-Type", "text/plain; charset=utf-8")
            self.finish(
                "Only programs on this computer may read the metrics. To change that, set "
                "server.metrics in the configuration.\n"
            )
            return
        self.set_header("Content-Type", CONTENT_TYPE)
        self.set_header("Cache-Control", "no-store")
        self.finish(self._metrics.text())

    def _is_local(self) -> bool:
        # A request that a proxy on this computer forwards also comes from the loopback address,
        # whether or not that proxy is trusted.
        address = read_address(self.request.remote_ip or "")
        forwarded = any(name in self.request.headers for name in _FORWARDED)
        return address is not None and address.is_loopback and not forwarded
