"""A phone and a laptop on one Wi-Fi that is slow or loses packets.

Owns the conditions and how they are made.
"""

from dataclasses import dataclass

from tests.network.hosts import Host, Network

_PACKET = 1600  # a full one with its Ethernet header, in bytes


@dataclass(frozen=True)
class Condition:
    """What is wrong with the network.

    Attributes
    ----------
    rate: of what the phone sends, as tc writes it; "" for no limit. At most 30 ms may queue.
    loss: percent of UDP packets lost in each direction.
    """

    title: str
    rate: str = ""
    loss: int = 0


SLOW = Condition("600 kbit/s", rate="600kbit")
MEDIUM = Condition("2 Mbit/s", rate="2mbit")
LOSSY = Condition("2 % loss", loss=2)
VERY_LOSSY = Condition("5 % loss", loss=5)
CONDITIONS = (SLOW, MEDIUM, LOSSY, VERY_LOSSY)


class Wifi:
    """Both hosts and what joins them.

    Parameters
    ----------
    network: where it is made; ends it too.
    """

    def __init__(self, network: Network) -> None:
        self._wifi = network.switch("wifi", "192.168.1.1/24")
        self.phone, self.laptop = network.host("phone"), network.host("laptop")
        network.plug(self.phone, self._wifi, "192.168.1.2/24")
        network.plug(self.laptop, self._wifi, "192.168.1.3/24")

    def begin(self, condition: Condition) -> None:
        """Make the network so."""
        if condition.rate:
            # One packet at a time: a larger bucket would be a longer queue too.
            bucket = ["rate", condition.rate, "burst", str(_PACKET), "latency", "30ms"]
            self._queue("replace", "tbf", *bucket)
        if condition.loss:
            # What is dropped on its way out would be reported to the browser as an error.
            rule = f"meta l4proto udp numgen random mod 100 < {condition.loss} drop"
            for host in self._hosts():
                host.add_rules("loss", rule, hook="input")

    def end(self, condition: Condition) -> None:
        """Make the network good again."""
        if condition.rate:
            self._queue("delete")
        if condition.loss:
            for host in self._hosts():
                host.remove_rules("loss")

    def _hosts(self) -> tuple[Host, Host]:
        return self.phone, self.laptop

    def _queue(self, action: str, *kind: str) -> None:
        self.phone.run("tc", "qdisc", action, "dev", self._wifi.name, "root", *kind)
