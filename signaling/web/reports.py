"""The reports for monitors: /healthz, which says little to strangers, and /metrics."""

from collections.abc import Callable
from typing import Any, Literal

from tornado.httputil import HTTPServerRequest
from tornado.web import RequestHandler

from signaling.metrics import CONTENT_TYPE, Metrics
from signaling.web.hosts import is_local


class HealthHandler(RequestHandler):
    """/healthz: the state of the server, for people and monitors."""

    def initialize(
        self,
        report: Callable[[], dict[str, Any]],
        may_read: Callable[[HTTPServerRequest], bool],
    ) -> None:
        """Tornado's constructor: what returns the report, and who gets the whole of it."""
        self._report = report
        self._may_read = may_read

    def get(self) -> None:
        """Send the report as JSON; to strangers, only that the server is well."""
        self.set_header("Cache-Control", "no-store")
        self.finish(self._report() if self._may_read(self.request) else {"status": "ok"})


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
