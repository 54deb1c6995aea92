"""A phone and a laptop on the same Wi-Fi, which is slow or loses packets."""

from dataclasses import dataclass

from tests.network.hosts import Host, Network

_PACKET = 1600  # Bytes; enough for a full packet with its Ethernet header.


@dataclass(frozen=True)
class Condition:
    """What is wrong with the network.

    Attributes
    ----------
    rate: the limit for what the phone sends, in tc's notation; "" for none. 30 ms may queue.
    loss: percentage of UDP packets lost in each direction.
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
    """Both hosts and the Wi-Fi between them.

    Parameters
    ----------
    network: where to make them; it also removes them.
    """

    def __init__(self, network: Network) -> None:
        self._wifi = network.switch("wifi", "192.168.1.1/24")
        self.phone, self.laptop = network.host("phone"), network.host("laptop")
        network.plug(self.phone, self._wifi, "192.168.1.2/24")
        network.plug(self.laptop, self._wifi, "192.168.1.3/24")

    def begin(self, condition: Condition) -> None:
        """Make the network bad in this way."""
        if condition.rate:
            # One packet at a time, because a larger bucket would also be a longer queue.
            bucket = ["rate", condition.rate, "burst", str(_PACKET), "latency", "30ms"]
            self._queue("replace", "tbf", *bucket)
        if condition.loss:
            # Dropping packets on their way out would show in the browser as an error.
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
