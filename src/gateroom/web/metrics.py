"""The live path's counts as Prometheus reads them. Labels are codes and types, so the number of series is bounded."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeHistogramMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from gateroom.realtime.counts import Histogram
from gateroom.realtime.live import Live

BACKLOG_BOUNDS = (0, 1024, 16384, 65536, 262144, 1048576)  # bytes


def registry_of(live: Live) -> CollectorRegistry:
    """Make the registry of one running gateway: its own counts, and the process's memory, CPU and files."""
    registry = CollectorRegistry()
    registry.register(_LiveCollector(live))
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


class _LiveCollector(Collector):
    """Reads everything at the moment of the scrape, so that nothing is paid between scrapes."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def collect(self) -> Iterator[Metric]:
        live, counts = self._live, self._live.counts
        connections = GaugeMetricFamily("gateroom_connections", "Sockets now, by state.", labels=["state"])
        connections.add_metric(["open"], len(live.sessions))
        connections.add_metric(["handshake"], max(0, live.door.inside - len(live.sessions)))
        yield connections
        yield GaugeMetricFamily("gateroom_rooms_live", "Rooms with at least one connection.", live.hub.room_count)
        handshakes = CounterMetricFamily("gateroom_handshakes", "Handshakes, by outcome.", labels=["outcome"])
        for outcome, count in counts.handshakes.items():
            handshakes.add_metric([outcome], count)
        yield handshakes
        yield CounterMetricFamily("gateroom_url_tokens", "Handshakes with a token in their URL.", counts.url_tokens)
        commands = CounterMetricFamily(
            "gateroom_commands", "Commands, by type and outcome.", labels=["type", "outcome"]
        )
        for (kind, outcome), count in counts.commands.items():
            commands.add_metric([kind, outcome], count)
        yield commands
        closes = CounterMetricFamily("gateroom_closes", "Ended sockets, by code and reason.", labels=["code", "reason"])
        for (code, reason), count in counts.closes.items():
            closes.add_metric([str(code), reason], count)
        yield closes
        yield CounterMetricFamily("gateroom_deliveries", "Events given to connections.", counts.deliveries)
        yield CounterMetricFamily("gateroom_sent_bytes", "Bytes of their frames.", counts.bytes_out)
        yield CounterMetricFamily("gateroom_received_bytes", "Bytes of text received.", counts.bytes_in)
        yield _histogram("gateroom_fan_out_seconds", "Time of one tick's fan-out.", counts.flushes)
        yield _histogram("gateroom_loop_lag_seconds", "How late the event loop was, each second.", counts.lag)
        yield _histogram("gateroom_revocation_seconds", "Time from a revocation to a socket's close.", counts.orders)
        yield self._backlog()

    def _backlog(self) -> Metric:
        histogram = Histogram(BACKLOG_BOUNDS)
        for session in list(self._live.sessions.values()):
            histogram.observe(session.connection.held_bytes)
        family = GaugeHistogramMetricFamily("gateroom_backlog_bytes", "What connections hold for slow readers.")
        family.add_metric([], _buckets(histogram), histogram.total)
        return family


def _histogram(name: str, text: str, histogram: Histogram) -> Metric:
    return HistogramMetricFamily(name, text, _buckets(histogram), histogram.total)


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    found: list[tuple[str, float]] = []
    below = 0
    for bound, count in zip((*map(str, histogram.bounds), "+Inf"), histogram.buckets, strict=True):
        below += count
        found.append((bound, below))
    return found
