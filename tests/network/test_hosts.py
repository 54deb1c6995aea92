"""The networks that the other tests use: what they let through, and what they block."""

import contextlib
import os
import signal
import socket
import subprocess

import pytest

from tests.network.hosts import Host, Network

PORT = 9000
SOON = 0.3
"""Seconds after which a packet on one machine counts as lost."""


def arrives(sender: Host, to: Host, count: int = 1, size: int = 100) -> int:
    """How many of several datagrams, sent at once from one host, arrive at another."""
    with sender.socket(socket.SOCK_DGRAM) as out, to.socket(socket.SOCK_DGRAM) as into:
        into.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        into.bind((to.address, PORT))
        into.settimeout(SOON)
        for _ in range(count):
            with contextlib.suppress(PermissionError):  # The datagram was dropped on its way out.
                out.sendto(bytes(size), (to.address, PORT))
        received = 0
        with contextlib.suppress(TimeoutError):
            while received < count:
                into.recv(2048)
                received += 1
        return received


def connects(client: Host, to: Host, port: int = PORT) -> bool:
    """Whether one host can open a TCP connection to another."""
    with to.socket(socket.SOCK_STREAM) as listening, client.socket(socket.SOCK_STREAM) as probe:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((to.address, port))
        listening.listen()
        probe.settimeout(SOON)
        with contextlib.suppress(TimeoutError):
            probe.connect((to.address, port))
            return True
        return False


def seen_as(client: Host, port: int, server: Host, server_port: int) -> int:
    """The source port of a client's datagram, as a server sees it."""
    with client.socket(socket.SOCK_DGRAM) as out, server.socket(socket.SOCK_DGRAM) as into:
        out.bind(("", port))
        into.bind((server.address, server_port))
        into.settimeout(20)
        out.sendto(b"x", (server.address, server_port))
        seen: int = into.recvfrom(10)[1][1]
        return seen


def on_a_switch(network: Network, *, isolated: bool = False) -> tuple[Host, Host, Host]:
    home = network.switch("home", "192.168.1.1/24")
    a, b, c = (network.host(name) for name in ("a", "b", "c"))
    network.plug(a, home, "192.168.1.2/24", isolated=isolated)
    network.plug(b, home, "192.168.1.3/24", isolated=isolated)
    network.plug(c, home, "192.168.1.4/24")
    return a, b, c


def across_a_router(network: Network) -> tuple[Host, Host, Host]:
    a, b, router = network.host("a"), network.host("b"), network.host("router", forwards=True)
    network.link(a, router, "10.0.1.2/24", "10.0.1.1")
    network.link(b, router, "10.0.2.2/24", "10.0.2.1")
    return a, b, router


def test_hosts_on_a_switch_reach_each_other() -> None:
    """Hosts on a switch reach each other over UDP and TCP, in both directions."""
    with Network() as network:
        a, b, _ = on_a_switch(network)
        assert arrives(a, b)
        assert arrives(b, a)
        assert connects(a, b)


def test_isolated_hosts_reach_only_those_that_are_not() -> None:
    """Isolated hosts, like the clients of a guest Wi-Fi, reach only hosts that are not isolated."""
    with Network() as network:
        a, b, c = on_a_switch(network, isolated=True)
        assert not arrives(a, b)
        assert not arrives(b, a)
        assert arrives(a, c)
        assert arrives(c, b)


def test_a_router_joins_two_subnets() -> None:
    """What two subnets send to each other goes through the router."""
    with Network() as network:
        a, b, _ = across_a_router(network)
        assert arrives(a, b)
        assert connects(b, a)


def test_rules_come_and_go_at_run_time() -> None:
    """UDP, or everything but one port, can be blocked and unblocked while the hosts run."""
    with Network() as network:
        a, b, router = across_a_router(network)
        router.add_rules("no-udp", "meta l4proto udp drop")
        assert not arrives(a, b)
        assert connects(a, b)
        router.remove_rules("no-udp")
        assert arrives(a, b)
        only = ["ct state established accept", f"tcp dport {PORT} accept", "drop"]
        router.add_rules("one-port", *only)
        assert connects(a, b)
        assert not connects(a, b, PORT + 1)


def test_some_packets_are_lost() -> None:
    """A rule that drops every other packet at random drops some and lets some through."""
    with Network() as network:
        a, b, router = across_a_router(network)
        assert arrives(a, b, 200) == 200
        router.add_rules("loss", "numgen random mod 100 < 50 drop")
        assert 50 < arrives(a, b, 200) < 150


def test_a_slow_link_drops_what_it_cannot_carry() -> None:
    """Of 200 kB sent at once, a link of 600 kbit/s passes only what its queue can hold."""
    with Network() as network:
        a, b, router = across_a_router(network)
        router.limit_rate("b", "600kbit")
        assert 10 < arrives(a, b, 200, 1000) < 60


def test_an_address_changes_at_run_time() -> None:
    """A host can be reached at its new address, and can answer from there."""
    with Network() as network:
        a, b, _ = on_a_switch(network)
        old = a.address
        a.change_address("home", "192.168.1.77/24", "192.168.1.1")
        assert a.address == "192.168.1.77"
        assert arrives(b, a)
        assert arrives(a, b)
        a.address = old
        with pytest.raises(OSError, match="assign"):
            arrives(b, a)


@pytest.mark.parametrize("symmetric", [False, True])
def test_nat_hides_a_host(symmetric: bool) -> None:
    """A host behind NAT can send out but nobody can reach it; only a symmetric NAT uses a port
    per destination.
    """
    with Network() as network:
        a, b, internet = across_a_router(network)
        home = network.host("home", forwards=True)
        behind = network.host("behind")
        network.link(home, internet, "203.0.113.2/24", "203.0.113.1")
        network.link(behind, home, "192.168.1.2/24", "192.168.1.1")
        home.masquerade("router", symmetric=symmetric)
        assert connects(behind, a)
        internet.run("ip", "route", "add", "192.168.1.0/24", "via", "203.0.113.2")
        assert not arrives(a, behind)
        ports = {seen_as(behind, 5000, *to) for to in ((a, 7000), (a, 7001), (b, 7000))}
        assert len(ports) == (3 if symmetric else 1)


def test_nothing_is_left_behind() -> None:
    """Even after a failure, the hosts are gone and their programs have ended."""
    with contextlib.suppress(RuntimeError), Network() as network:
        a, *_ = on_a_switch(network)
        running = subprocess.Popen(a.command("sleep", "60"))
        a.add_rules("bad", "no such rule")
    assert running.wait(10) == -signal.SIGKILL
    left = subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout
    assert a.namespace.removesuffix("a") not in left


def test_the_tests_stay_where_they_are() -> None:
    """After a block inside another host, the test is back on its own host."""
    home = os.readlink("/proc/thread-self/ns/net")
    with Network() as network:
        host = network.host("a")
        with host.inside():
            assert os.readlink("/proc/thread-self/ns/net") != home
        assert os.readlink("/proc/thread-self/ns/net") == home
