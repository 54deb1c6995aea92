"""The security headers of every answer: pages, redirects, errors and reports alike.

Owns their values and the step that adds them.
"""

import base64
import hashlib
import re
from collections.abc import Mapping

from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.web import OutputTransform

_HOST = re.compile(r"[A-Za-z0-9.-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")

_EVERYWHERE = {
    "style-src": "'self'",
    "img-src": "'self' data:",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}
"""What the Content-Security-Policy of every answer says."""


def _policy(more: Mapping[str, str]) -> str:
    policy = {"default-src": "'none'", **more, **_EVERYWHERE}
    return "; ".join(f"{name} {value}" for name, value in policy.items())


WITHOUT_SCRIPTS = _policy({})
"""The policy of the trust page. Over plain HTTP, somebody on the way could add a script."""

HSTS = "max-age=31536000"
"""HTTPS only, for a year (RFC 6797 6.1.1). Not for subdomains: others may own them."""


def page_policy(host: str, inline: str = "") -> str:
    """The Content-Security-Policy of a page.

    Parameters
    ----------
    host: the Host header of the request.
    inline: the text of the script within the page; "" for none. It is allowed by its hash
        (CSP Level 3, 6.7.3.3), as no other is.
    """
    digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
    # In Safari before 15.4, 'self' does not allow a WebSocket to the same host (WebKit bug
    # 201591), so the policy names the host as well.
    sockets = f" ws://{host} wss://{host}" if _HOST.fullmatch(host) else ""
    policy = {
        "script-src": f"'self' 'sha256-{digest}'" if inline else "'self'",
        "media-src": "'self' blob:",
        "connect-src": f"'self'{sockets}",
    }
    return _policy(policy)


def security_headers(host: str) -> dict[str, str]:
    """Return the headers for every answer.

    Parameters
    ----------
    host: the Host header of the request.
    """
    return {
        "Content-Security-Policy": page_policy(host),
        "Permissions-Policy": "camera=(self), microphone=(self), fullscreen=(self), "
        "picture-in-picture=(self), screen-wake-lock=(self), geolocation=()",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        # A page names what it loads by a digest, so the page itself must be the newest.
        "Cache-Control": "no-cache",
    }


class SecurityHeaders(OutputTransform):
    """Adds the headers to an answer. A header that the handler has set stays."""

    def __init__(self, request: HTTPServerRequest) -> None:
        super().__init__(request)
        self._request = request

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        """Tornado's hook, just before the headers are sent."""
        for name, value in security_headers(self._request.host).items():
            headers.setdefault(name, value)
        # Only an attacker would need the name and version of the server software.
        headers.pop("Server", None)
        return super().transform_first_chunk(status_code, headers, chunk, finishing)


class StrictSecurityHeaders(SecurityHeaders):
    """The same headers, and one that tells the browser to use HTTPS only.

    Only for a certificate that browsers already trust. With a certificate of the local CA, a phone
    that does not know the CA yet could no longer continue past the warning (RFC 6797 12.1).
    """

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        """Tornado's hook, just before the headers are sent."""
        if self._request.protocol == "https":  # RFC 6797 7.2: never over plain HTTP.
            headers["Strict-Transport-Security"] = HSTS
        return super().transform_first_chunk(status_code, headers, chunk, finishing)
