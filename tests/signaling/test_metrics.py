"""The metrics in Prometheus' text format."""

from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from signaling.metrics import Metrics


def read(metrics: Metrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Read what a Prometheus server would read: a value for each name and set of labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(metrics.text().decode())
        for sample in family.samples
    }


def value(metrics: Metrics, name: str, **labels: str) -> float:
    return read(metrics)[name, frozenset(labels.items())]


def test_connections_are_counted_by_transport() -> None:
    """The number of current connections falls again; the number since the start does not."""
    metrics = Metrics()
    metrics.connected("websocket")
    metrics.connected("websocket")
    metrics.connected("events")
    metrics.disconnected("websocket")
    assert value(metrics, "lenscast_connections", transport="websocket") == 1
    assert value(metrics, "lenscast_connections", transport="events") == 1
    assert value(metrics, "lenscast_connections_opened_total", transport="websocket") == 2


def test_messages_refusals_and_reconnections_are_counted() -> None:
    """Messages are counted by type, refusals by code, and reconnections in all."""
    metrics = Metrics()
    metrics.received("offer")
    metrics.received("offer")
    metrics.refused("bad-key")
    metrics.reconnected()
    assert value(metrics, "lenscast_messages_received_total", type="offer") == 2
    assert value(metrics, "lenscast_refusals_total", code="bad-key") == 1
    assert value(metrics, "lenscast_reconnections_total") == 1


def test_the_time_of_setup_is_a_histogram() -> None:
    """The buckets add up, so that one can ask for the share of fast setups."""
    metrics = Metrics()
    metrics.setup(0.3)
    metrics.setup(7)
    assert value(metrics, "lenscast_setup_seconds_count") == 2
    assert value(metrics, "lenscast_setup_seconds_sum") == 7.3
    assert value(metrics, "lenscast_setup_seconds_bucket", le="0.25") == 0
    assert value(metrics, "lenscast_setup_seconds_bucket", le="0.5") == 1


def test_what_is_watched_is_read_off_when_asked() -> None:
    """Rooms, peers by role and the relay's figures are the current ones."""
    metrics = Metrics()
    peers = {"sender": 1, "receiver": 0}
    relay: dict[str, Any] = {
        "allocations": 2,
        "tcp_connections": 1,
        "packets": 3,
        "bytes": 4,
        "drops": {"no permission": 5},
        "refusals": {"401": 6},
    }
    metrics.watch(rooms=lambda: len(peers), peers=lambda: peers, relay=lambda: relay)
    assert value(metrics, "lenscast_rooms") == 2
    assert value(metrics, "lenscast_peers", role="receiver") == 0
    assert value(metrics, "lenscast_relay_allocations") == 2
    assert value(metrics, "lenscast_relay_bytes_total") == 4
    assert value(metrics, "lenscast_relay_drops_total", reason="no permission") == 5
    assert value(metrics, "lenscast_relay_refusals_total", reason="401") == 6
    peers["receiver"] = 3
    assert value(metrics, "lenscast_peers", role="receiver") == 3


def test_what_waits_and_is_held_back_is_read_off_when_asked() -> None:
    """Addresses that have to wait, bytes for peers that are away, log lines that were counted, and
    what the relay did with requests that nobody had signed."""
    metrics = Metrics()
    relay: dict[str, Any] = {
        **dict.fromkeys(("allocations", "tcp_connections", "packets", "bytes"), 0),
        "drops": {},
        "refusals": {},
        "unsigned": {"answered": 7, "withheld": 8},
    }
    metrics.watch(
        rooms=int,
        peers=dict,
        relay=lambda: relay,
        waiting=lambda: 2,
        away_bytes=lambda: 3,
        held_back=lambda: 4,
    )
    assert value(metrics, "lenscast_waiting_addresses") == 2
    assert value(metrics, "lenscast_away_bytes") == 3
    assert value(metrics, "lenscast_log_lines_held_back_total") == 4
    assert value(metrics, "lenscast_relay_unsigned_total", reason="answered") == 7
    assert value(metrics, "lenscast_relay_unsigned_total", reason="withheld") == 8


def test_without_a_relay_there_are_no_figures_of_one() -> None:
    """Without a relay, its figures are missing, not 0."""
    metrics = Metrics()
    metrics.watch(rooms=lambda: 0, peers=dict, relay=None)
    assert not [name for name, _ in read(metrics) if "relay" in name]


def test_two_servers_count_apart() -> None:
    """Each server has its own registry."""
    one, other = Metrics(), Metrics()
    one.reconnected()
    assert value(other, "lenscast_reconnections_total") == 0
