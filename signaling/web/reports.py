"""The reports for monitors: /healthz for everyone, /metrics for those the configuration allows."""

from collections.abc import Callable
from typing import Any, Literal

from tornado.web import RequestHandler

from signaling.metrics import CONTENT_TYPE, Metrics
from signaling.web.hosts import is_local


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
        if self._readers == "loopback" and not is_local(self.request):
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
