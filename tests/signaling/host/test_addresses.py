"""Which of this host's addresses phones get."""

import socket
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.host import addresses
from signaling.host.addresses import rank

WIFI = ("wlan0", "192.168.1.20")
CABLE = ("enp3s0", "10.0.0.7")
DOCKER = ("docker0", "172.17.0.1")
VPN = ("tun0", "10.8.0.2")


def test_default_route_comes_first() -> None:
    """The address of the default route comes before those of other physical interfaces."""
    assert rank([CABLE, WIFI], default=WIFI[1]) == [WIFI[1], CABLE[1]]


def test_order_stays_without_default_route() -> None:
    """Without a default route, physical interfaces keep the order of the system."""
    assert rank([CABLE, WIFI], default=None) == [CABLE[1], WIFI[1]]


@pytest.mark.parametrize(
    "name",
    [
        *("docker0", "br-3f2a90c1d7e4", "veth12ab", "virbr0", "vmnet8", "vboxnet0", "lxdbr0"),
        *("tun0", "tap1", "utun4", "wg0", "tailscale0", "bridge100", "ppp0", "ztabcdefgh"),
        *("VirtualBox Host-Only Ethernet Adapter", "VMware Virtual Ethernet Adapter for VMnet8"),
        *("Hyper-V Virtual Ethernet Adapter", "TAP-Windows Adapter V9", "WireGuard Tunnel"),
    ],
)
def test_virtual_interfaces_come_last(name: str) -> None:
    """An interface that does not lead to a phone comes after a physical one."""
    assert rank([(name, "172.20.0.1"), WIFI], default=None) == [WIFI[1], "172.20.0.1"]


@pytest.mark.parametrize(
    "name", ["wlan0", "wlp2s0", "eth0", "enp3s0", "en0", "br0", "usb0", "Wi-Fi"]
)
def test_physical_interfaces(name: str) -> None:
    """An ordinary interface, or a bridge to one, comes before a virtual one."""
    assert rank([DOCKER, (name, "192.168.1.9")], default=None) == ["192.168.1.9", DOCKER[1]]


def test_bridge_with_the_default_route() -> None:
    """A virtual interface with the default route is the way to the network."""
    bridge = ("vEthernet (External)", "192.168.1.30")
    assert rank([CABLE, bridge], default=bridge[1]) == [bridge[1], CABLE[1]]


def test_vpn_with_the_default_route() -> None:
    """A VPN takes the default route, but no phone is behind it."""
    assert rank([VPN, DOCKER, WIFI], default=VPN[1]) == [WIFI[1], DOCKER[1], VPN[1]]


def test_loopback_is_left_out() -> None:
    """Loopback is never offered, even if there is nothing else."""
    assert rank([("lo", "127.0.0.1"), WIFI], default=None) == [WIFI[1]]
    assert rank([("lo", "127.0.0.1"), ("lo", "127.0.1.1")], default=None) == []


def test_link_local_only_as_a_last_resort() -> None:
    """An address in 169.254/16 is offered only if there is no other."""
    link_local = ("eth0", "169.254.7.7")
    assert rank([link_local, DOCKER], default=None) == [DOCKER[1]]
    assert rank([link_local], default=None) == ["169.254.7.7"]


def test_each_address_once() -> None:
    """An address on two interfaces is listed once."""
    assert rank([WIFI, ("wlan1", WIFI[1])], default=None) == [WIFI[1]]


@given(
    st.lists(
        st.tuples(st.sampled_from(["eth0", "docker0", "tun0", "lo"]), st.ip_addresses(v=4).map(str))
    )
)
def test_ranking_only_sorts_and_leaves_out(found: list[tuple[str, str]]) -> None:
    """Whatever the interfaces are, the result holds each usable address at most once."""
    ranked = rank(found, default=None)
    assert set(ranked) <= {address for _, address in found}
    assert len(ranked) == len(set(ranked))


def test_this_host() -> None:
    """The addresses found on this host are its own: a socket can bind to each."""
    for address in addresses.lan_addresses():
        assert not IPv4Address(address).is_loopback
        with socket.socket() as bound:
            bound.bind((address, 0))
