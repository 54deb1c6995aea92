"""The headers that keep what browsers load safe, on every answer whoever gives it.

Owns their values, and the step that puts them on: pages, redirects, errors and reports alike.
Imports nothing of the project.
"""

import re

from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.web import OutputTransform

_HOST = re.compile(r"[A-Za-z0-9.-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")

HSTS = "max-age=31536000"
"""A year of https alone (RFC 6797 6.1.1); without subdomains, which may be somebody else's."""


def security_headers(host: str) -> dict[str, str]:
    """The headers of every answer.

    Parameters
    ----------
    host: the Host header of the request.
    """
    # Safari before 15.4 does not take 'self' to mean the WebSocket of the same host (WebKit
    # bug 201591), so the host is named as well.
    sockets = f" ws://{host} wss://{host}" if _HOST.fullmatch(host) else ""
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "media-src": "'self' blob:",
        "connect-src": f"'self'{sockets}",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Permissions-Policy": "camera=(self), microphone=(self), fullscreen=(self), "
        "picture-in-picture=(self), screen-wake-lock=(self), geolocation=()",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        # The next release's page must not meet this one's modules; an ETag makes it cheap.
        "Cache-Control": "no-cache",
    }


class SecurityHeaders(OutputTransform):
    """Puts the headers on an answer; where its handler has set one, that stays."""

    def __init__(self, request: HTTPServerRequest) -> None:
        super().__init__(request)
        self._request = request

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        """Tornado's hook, just before the headers are sent."""
        for name, value in security_headers(self._request.host).items():
            headers.setdefault(name, value)
        # Which software and version answers helps nobody who means well.
        headers.pop("Server", None)
        return super().transform_first_chunk(status_code, headers, chunk, finishing)


class StrictSecurityHeaders(SecurityHeaders):
    """The same, and the browser is told to come by https only.

    For a certificate that browsers trust by themselves: with one of the local CA a phone that does
    not know it yet could not continue past the warning (RFC 6797 12.1).
    """

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        """Tornado's hook, just before the headers are sent."""
        if self._request.protocol == "https":  # RFC 6797 7.2: not over plain HTTP.
            headers["Strict-Transport-Security"] = HSTS
        return super().transform_first_chunk(status_code, headers, chunk, finishing)
