"""Hosts for tests: Linux network namespaces with veth pairs, bridges and nftables between them.

Owns `Network` and `Host`. Everything is in namespaces that end with the network; nothing
changes in the namespace of the tests.
"""

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

_CLONE_NEWNET = 0x40000000  # linux/sched.h
_SECONDS = 30


def missing() -> str | None:
    """The reason why there can be no network here, or None."""
    if not sys.platform.startswith("linux"):
        return "only Linux has network namespaces"
    if os.getuid() != 0:
        return "network namespaces need root"
    tools = {"ip": "iproute2", "tc": "iproute2", "nft": "nftables", "sysctl": "procps"}
    for tool, package in tools.items():
        if not shutil.which(tool):
            return f"{tool} is missing: apt-get install {package}"
    tried = subprocess.run(["unshare", "--net", "true"], capture_output=True, timeout=_SECONDS)
    return None if tried.returncode == 0 else "this kernel or container allows no namespaces"


@dataclass
class Host:
    """One host. `address` is the first that it got, without the length of the prefix.

    Each interface has the name of the host at its other end.
    """

    namespace: str
    name: str
    address: str = "127.0.0.1"

    def command(self, *argv: str) -> list[str]:
        """Return the command line that runs a program on this host."""
        return ["ip", "netns", "exec", self.namespace, *argv]

    def run(self, *argv: str, text: str | None = None) -> str:
        """Run a program on this host, and return what it printed.

        Parameters
        ----------
        text: its standard input.

        Raises
        ------
        RuntimeError: it failed; with what it said.
        """
        return _run(*self.command(*argv), text=text)

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """Put this thread on this host until the end of the block, which must not await.

        A socket made in the block stays on the host.
        """
        libc = ctypes.CDLL(None, use_errno=True)
        with (
            Path("/proc/thread-self/ns/net").open() as home,
            Path("/run/netns", self.namespace).open() as there,
        ):
            _check(libc.setns(there.fileno(), _CLONE_NEWNET))
            try:
                yield
            finally:
                _check(libc.setns(home.fileno(), _CLONE_NEWNET))

    def socket(self, kind: socket.SocketKind) -> socket.socket:
        """Return a new IPv4 socket on this host."""
        with self.inside():
            return socket.socket(socket.AF_INET, kind)

    def add_rules(self, table: str, *rules: str, hook: str = "forward") -> None:
        """Filter packets with rules in the language of nft, until `remove_rules`.

        Parameters
        ----------
        table: a name, free on this host.
        hook: "forward" for a router; "input" or "output" for a host's own packets.
        """
        chain = f"type filter hook {hook} priority filter; policy accept;"
        self.run("nft", "-f", "-", text=_table(table, chain, *rules))

    def remove_rules(self, table: str) -> None:
        """Remove what `add_rules` added."""
        self.run("nft", "delete", "table", "inet", table)

    def masquerade(self, interface: str, *, symmetric: bool = False) -> None:
        """Translate the addresses of what leaves by an interface, as a home router does.

        Packets that nobody asked for are dropped. A symmetric NAT uses another port for each
        destination, so the address that a STUN server sees is no use to others (RFC 4787, 4.1).
        """
        how = "masquerade random,fully-random" if symmetric else "masquerade"
        nat = "type nat hook postrouting priority srcnat; policy accept;"
        rule = f'oifname "{interface}" {how}'
        self.run("nft", "-f", "-", text=_table("nat", nat, rule))
        # An answer would leave a connection tracking entry that blocks the one we want.
        unasked = f'iifname "{interface}" ct state new drop'
        self.add_rules("unasked", unasked, hook="input")
        self.add_rules("unasked-through", unasked, hook="forward")

    def change_address(self, interface: str, address: str, gateway: str) -> None:
        """Replace the address of an interface while it is in use, as another Wi-Fi would."""
        self.run("ip", "address", "flush", "dev", interface)
        self.run("ip", "address", "add", address, "dev", interface)
        self.run("ip", "route", "replace", "default", "via", gateway)
        self.address = address.partition("/")[0]

    def limit_rate(self, interface: str, rate: str) -> None:
        """Slow down what leaves by an interface.

        Parameters
        ----------
        rate: as tc writes it, such as "600kbit".
        """
        bucket = ["rate", rate, "burst", "16kb", "latency", "100ms"]
        self.run("tc", "qdisc", "replace", "dev", interface, "root", "tbf", *bucket)


class Network:
    """Hosts and the links between them. Leaving the block ends all of them and everything that
    runs there.
    """

    def __init__(self) -> None:
        self._prefix = f"lenscast-{os.getpid()}-{time.monotonic_ns():x}"
        self._hosts: list[Host] = []

    def __enter__(self) -> "Network":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def host(self, name: str, *, forwards: bool = False) -> Host:
        """Make a host without a link.

        Parameters
        ----------
        name: at most 15 characters, as it names interfaces too.
        forwards: it is a router.
        """
        host = Host(f"{self._prefix}-{name}", name)
        _run("ip", "netns", "add", host.namespace)
        self._hosts.append(host)
        # IPv6 would give each interface an address two seconds later. To Chromium that is a change
        # of network, and it stops what it is loading (ERR_NETWORK_CHANGED).
        settings = ["net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1"]
        host.run("sysctl", "-qw", *settings, f"net.ipv4.ip_forward={int(forwards)}")
        host.run("ip", "link", "set", "lo", "up")
        return host

    def link(self, host: Host, above: Host, address: str, gateway: str) -> None:
        """Connect a host to the host above it, through which it sends everything.

        Parameters
        ----------
        address: the host's, with the length of the prefix: "10.0.1.2/24".
        gateway: the address of the one above, in the same network, without a length.
        """
        self._pair(host, above)
        length = address.partition("/")[2]
        above.run("ip", "address", "add", f"{gateway}/{length}", "dev", host.name)
        above.address = gateway if above.address == "127.0.0.1" else above.address
        _settle(host, above.name, address, gateway)

    def switch(self, name: str, address: str) -> Host:
        """Make a switch, or the Wi-Fi access point of one subnet.

        Parameters
        ----------
        address: the switch's own, with the length of the prefix; the gateway of those plugged in.
        """
        switch = self.host(name)
        switch.run("ip", "link", "add", "bridge", "type", "bridge")
        switch.run("ip", "address", "add", address, "dev", "bridge")
        switch.run("ip", "link", "set", "dev", "bridge", "up")
        switch.address = address.partition("/")[0]
        return switch

    def plug(self, host: Host, switch: Host, address: str, *, isolated: bool = False) -> None:
        """Connect a host to a switch.

        Parameters
        ----------
        address: with the length of the prefix.
        isolated: the switch passes nothing to others that are isolated, as a guest Wi-Fi does.
        """
        self._pair(host, switch)
        switch.run("ip", "link", "set", "dev", host.name, "master", "bridge")
        if isolated:
            switch.run("bridge", "link", "set", "dev", host.name, "isolated", "on")
        _settle(host, switch.name, address, switch.address)

    def close(self) -> None:
        """End all hosts, and every process that still runs on one of them."""
        while self._hosts:
            host = self._hosts.pop()
            for process in _run("ip", "netns", "pids", host.namespace).split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(process), signal.SIGKILL)
            _run("ip", "netns", "delete", host.namespace)

    def _pair(self, host: Host, above: Host) -> None:
        peer = ["peer", "name", host.name, "netns", above.namespace]
        host.run("ip", "link", "add", above.name, "type", "veth", *peer)
        host.run("ip", "link", "set", "dev", above.name, "up")
        above.run("ip", "link", "set", "dev", host.name, "up")


def _settle(host: Host, interface: str, address: str, gateway: str) -> None:
    host.run("ip", "address", "add", address, "dev", interface)
    # Without a default route, Chromium has no address to offer to a page without a camera.
    host.run("ip", "route", "add", "default", "via", gateway)
    host.address = address.partition("/")[0]


def _table(name: str, chain: str, *rules: str) -> str:
    return "\n".join([f"table inet {name} {{", "chain packets {", chain, *rules, "}", "}", ""])


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _run(*argv: str, text: str | None = None) -> str:
    done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=_SECONDS)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
