"""Prometheus metrics: how busy and how well the service is, and nothing about anybody.

Labels are methods, routes, statuses and problem words. A registry of its own: no metrics of the process or of Python.
"""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from delivery_service.service import Service
from delivery_service.storage.engine import Standing

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """What is counted as requests come, and what is read from the service when somebody asks."""

    def __init__(self, service: Service) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "ringtrue_requests",
            "Answered requests; those to append entries with status 201 are appended entries",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._refused = Counter(
            "ringtrue_refused", "Refused requests by problem word", ("word",), registry=self.registry
        )
        self._seconds = Histogram(
            "ringtrue_request_seconds",
            "Time until an answer begins; what waits for news or the end of a stream is part of it",
            ("method", "route"),
            buckets=SECONDS,
            registry=self.registry,
        )
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self.registry.register(_Figures(service))

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request got an answer."""
        children = self._children.get((method, route, status))
        if children is None:
            counter = self._requests.labels(method, route, str(status))
            children = self._children[method, route, status] = counter, self._seconds.labels(method, route)
        children[0].inc()
        children[1].observe(seconds)

    def refused(self, word: str) -> None:
        """A request was refused."""
        self._refused.labels(word).inc()


class _Figures(Collector):
    """What the parts of the service know themselves, read from the metrics' thread: single numbers, never changed."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterable[Metric]:
        """See Collector."""
        service, load = self._service, self._service.engine.load
        yield GaugeMetricFamily("ringtrue_ready", "0 while the service ends", int(not service.readiness.draining))
        waiting, waited = service.entrance.waiting, service.entrance.waited
        yield GaugeMetricFamily("ringtrue_entrance_waiting", "Requests that have arrived and are not begun", waiting)
        yield GaugeMetricFamily("ringtrue_entrance_waited_seconds", "How long the last had waited to be begun", waited)
        yield GaugeMetricFamily("ringtrue_streams", "Open event streams", service.streams.count)
        yield GaugeMetricFamily("ringtrue_store_waiting", "Requests that wait for the store", load.waiting)
        yield GaugeMetricFamily("ringtrue_store_waited_seconds", "How long the oldest of them has waited", load.waited)
        yield GaugeMetricFamily("ringtrue_store_waiting_octets", "What they hold in memory", load.octets)
        yield CounterMetricFamily("ringtrue_store_batches", "Transactions", load.batches)
        yield CounterMetricFamily("ringtrue_store_batched", "Requests in them", load.batched)
        yield CounterMetricFamily("ringtrue_store_failures", "Requests that the store could not serve", load.failures)
        yield from _standing(service.engine.standing)
        yield CounterMetricFamily("ringtrue_retention_runs", "Runs of the retention", service.retention_runs)
        yield CounterMetricFamily("ringtrue_retention_failures", "Those that failed", service.retention_failures)


def _standing(standing: Standing) -> Iterable[Metric]:
    yield GaugeMetricFamily(
        "ringtrue_store_unconfirmed_seconds",
        "Since the begin of the last write that the PostgreSQL server confirmed",
        standing.unconfirmed,
    )
    yield GaugeMetricFamily("ringtrue_store_timeline", "PostgreSQL's newest timeline met", standing.timeline)
    yield CounterMetricFamily(
        "ringtrue_store_left_behind", "Connections to PostgreSQL servers with an older history", standing.left_behind
    )
    yield CounterMetricFamily(
        "ringtrue_store_untold", "Readings not told, because the PostgreSQL server confirmed nothing", standing.untold
    )
