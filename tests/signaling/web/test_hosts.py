"""Which Host and Origin headers are accepted, and what a proxy may say."""

import pytest

from signaling.config import Server
from signaling.setup_error import SetupError
from signaling.web import hosts
from signaling.web.hosts import Hosts, Proxies

PUBLIC = "https://camera.example.org:9000"


@pytest.fixture(autouse=True)
def _this_computer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "Laptop.lan")


def why_not(
    host: str, origin: str | None = None, *, at: str = "192.0.2.7", server: Server | None = None
) -> str | None:
    known = Hosts(server or Server(), own=lambda: ["192.0.2.7", "198.51.100.7"])
    return known.why_not(host, origin, at)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:8080",
        "localhost.",
        "127.0.0.1:8080",
        "[::1]:8080",
        "192.0.2.7:8443",
        "198.51.100.7",
        "laptop.lan:8443",
        "laptop",
        "laptop.local:8443",
        "Camera.example.org",
        "camera.example.org:9000",
        "other.example:1",
    ],
)
def test_what_the_server_is_reached_by_is_accepted(host: str) -> None:
    """The server's addresses, loopback, this computer's names and the configured names are
    accepted, with any port.
    """
    server = Server(public_url=PUBLIC, hosts=["Other.example"])
    assert why_not(host, server=server) is None


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "203.0.113.9",
        "[2001:db8::9]",
        "camera.example.org",
        "",
        "[::1",
        "127.0.0.1:99999",
    ],
)
def test_any_other_name_is_refused_with_the_key_to_set(host: str) -> None:
    """A name that somebody else has pointed here is refused, and the message names the
    configuration key.
    """
    assert "server.hosts" in (why_not(host) or "")


def test_the_address_at_which_a_connection_came_is_accepted() -> None:
    """The address that a connection came to is accepted even if no list has it, also IPv4 inside
    IPv6.
    """
    assert why_not("[2001:db8::1]:8443", at="2001:db8::1") is None
    assert why_not("203.0.113.9", at="::ffff:203.0.113.9") is None
    assert why_not("[fe80::1]", at="fe80::1%eth0") is None


def test_addresses_are_those_of_the_moment() -> None:
    """When a laptop changes networks, its new address is accepted at once."""
    own = ["192.0.2.1"]
    known = Hosts(Server(), own=lambda: own)
    assert known.why_not("198.51.100.1", None, "127.0.0.1")
    own[:] = ["198.51.100.1"]
    assert known.why_not("198.51.100.1", None, "127.0.0.1") is None


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("192.0.2.7:8443", "https://192.0.2.7:8443"),
        ("localhost:8080", "http://LOCALHOST:8080"),
        ("laptop.local", "https://laptop.local"),
        ("laptop.local:443", "https://laptop.local"),
        ("laptop.local", "http://laptop.local:80"),
        ("[::1]:8080", "http://[::1]:8080"),
        ("127.0.0.1:8443", PUBLIC),
        ("camera.example.org", PUBLIC),
        ("laptop.local:8443", None),
    ],
)
def test_a_page_of_this_server_may_ask(host: str, origin: str | None) -> None:
    """A page with the server's host and port, or with its public address, may ask; so may a
    client without Origin.
    """
    assert why_not(host, origin, server=Server(public_url=PUBLIC)) is None


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "https://192.0.2.7",
        "https://192.0.2.7:8444",
        "http://camera.example.org:9000",
        "https://192.0.2.7:8443.evil.example",
        "https://evil.example/192.0.2.7:8443",
        "null",
        "",
        "file://",
        "https://",
        "chrome-extension://192.0.2.7:8443",
        "https://[::1",
    ],
)
def test_a_page_from_elsewhere_may_not(origin: str) -> None:
    """A page with another port, or with something that is not an origin, is refused."""
    server = Server(public_url=PUBLIC)
    assert "server.public_url" in (why_not("192.0.2.7:8443", origin, server=server) or "")


@pytest.mark.parametrize(
    "server",
    [
        Server(hosts=["https://camera.example.org"]),
        Server(hosts=["camera.example.org:8443"]),
        Server(hosts=[""]),
        Server(hosts=["*.example.org"]),
    ],
)
def test_a_name_that_is_none_is_one_clear_sentence(server: Server) -> None:
    """The error for an invalid name says the key and gives an example."""
    with pytest.raises(SetupError, match=r"server\.hosts\[0\] must be .*such as"):
        Hosts(server)


@pytest.mark.parametrize("url", ["camera.example.org", "https://", "https://[::1", "https://a:x"])
def test_a_public_url_that_is_none_lets_nobody_in(url: str) -> None:
    """An invalid public URL lets no page in, and everything else works as without one."""
    server = Server(public_url=url)
    assert why_not("camera.example.org", server=server)
    assert why_not("localhost", "null", server=server)
    assert why_not("localhost", server=server) is None


FORWARDED = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}


def test_nobody_is_believed_by_default() -> None:
    """By default, forwarded headers are ignored: the address of the connection counts."""
    assert Proxies([]).client("192.0.2.1", "http", FORWARDED) == ("192.0.2.1", "http")
    trusting = Proxies(["192.0.2.0/24"])
    assert trusting.client("198.51.100.1", "http", FORWARDED) == ("198.51.100.1", "http")


@pytest.mark.parametrize("entry", ["192.0.2.1", "192.0.2.0/24", "::ffff:0:0/96"])
def test_a_trusted_proxy_is_believed(entry: str) -> None:
    """Behind a trusted proxy, the client's address and scheme count."""
    expected = ("192.0.2.1", "http") if ":" in entry else ("203.0.113.9", "https")
    assert Proxies([entry]).client("192.0.2.1", "http", FORWARDED) == expected


@pytest.mark.parametrize(
    ("said", "client"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("1.2.3.4, 203.0.113.9", "203.0.113.9"),
        ("1.2.3.4, 203.0.113.9, 192.0.2.2", "203.0.113.9"),
        ("192.0.2.3,192.0.2.2", "192.0.2.3"),
        ("2001:db8::9", "2001:db8::9"),
        ("203.0.113.9, nonsense", "192.0.2.1"),
        ("", "192.0.2.1"),
    ],
)
def test_what_a_client_has_made_up_does_not_count(said: str, client: str) -> None:
    """The last address that is not a trusted proxy's is the client's; everything before it is
    ignored.
    """
    headers = {"X-Forwarded-For": said}
    assert Proxies(["192.0.2.0/24"]).client("192.0.2.1", "http", headers) == (client, "http")


@pytest.mark.parametrize(
    ("said", "scheme"), [("https", "https"), ("http, https", "https"), ("ftp", "http")]
)
def test_the_scheme_is_the_last_that_was_said(said: str, scheme: str) -> None:
    """The last forwarded scheme counts, and only if it is http or https."""
    headers = {"X-Forwarded-Proto": said}
    assert Proxies(["192.0.2.1"]).client("192.0.2.1", "http", headers)[1] == scheme


@pytest.mark.parametrize("entry", ["nginx", "10.0.0.1/8", "", "10.0.0.0/33"])
def test_a_proxy_that_is_none_is_one_clear_sentence(entry: str) -> None:
    """The error for an invalid proxy says the key and gives an example."""
    with pytest.raises(SetupError, match=r"server\.trusted_proxies\[1\] must be an address or a"):
        Proxies(["127.0.0.1", entry])


def test_an_address_is_read_as_what_it_is() -> None:
    """IPv4 inside IPv6 is read as IPv4."""
    assert str(hosts.read_address("::ffff:192.0.2.1")) == "192.0.2.1"
    assert hosts.read_address("laptop") is None
