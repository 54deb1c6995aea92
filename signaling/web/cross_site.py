"""Tells what pages of other sites send here from what this server's pages and people ask for.

A page of any web site can make its reader's browser send requests to this computer. It may not read
the answers, but sending alone could use up what one address is allowed to do. Browsers say where a
request comes from in Fetch Metadata (https://www.w3.org/TR/fetch-metadata/) or, where they are
older, at least sometimes in Origin.
"""

import re

from tornado.httputil import HTTPServerRequest

from signaling.web.hosts import Hosts

_CALLED = re.compile(r"/(ws|events|send|bye|api/.*)")
"""Paths for scripts: to follow a link there makes no sense."""


def is_cross_site(request: HTTPServerRequest, hosts: Hosts) -> bool:
    """Whether another site's page sent a request that is not a person following a link.

    Another port of this computer is another site as well: "same-site" only compares the host.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is None:
        origin = request.headers.get("Origin")
        return origin is not None and not hosts.is_own_page(origin, request.host)
    return site not in ("same-origin", "none") and not _follows_a_link(request)


def _follows_a_link(request: HTTPServerRequest) -> bool:
    headers = request.headers
    return (
        request.method == "GET"
        and headers.get("Sec-Fetch-Mode") == "navigate"
        and headers.get("Sec-Fetch-Dest") == "document"  # Frames have other destinations.
        and not _CALLED.fullmatch(request.path)
    )
