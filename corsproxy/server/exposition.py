"""A snapshot in the formats that Prometheus reads; imported only when one is asked for.

https://prometheus.io/docs/instrumenting/exposition_formats/, and OpenMetrics for those who ask for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from corsproxy.server.metric_families import FAMILIES, Family, Kind, Samples, Snapshot


def exposed(snapshot: Snapshot, accept: str) -> tuple[bytes, str]:
    """The text of a snapshot and its media type, as the Accept header of the scraper wants it."""
    registry = CollectorRegistry()
    registry.register(_Snapshot(snapshot))
    encode, media_type = choose_encoder(accept)
    return encode(registry), media_type


class _Snapshot(Collector):
    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        """Every family, those without a sample included, so that a query for one finds that it exists."""
        for family in FAMILIES.values():
            yield _metric(family, self._snapshot.get(family.name, {}))


def _metric(family: Family, samples: Samples) -> Metric:
    name, labels = family.name, family.labels
    if family.kind is Kind.HISTOGRAM:
        return _histogram(family, samples)
    if family.kind is Kind.INFO:
        info = InfoMetricFamily(name.removesuffix("_info"), family.help, labels=())
        for values in samples:
            info.add_metric((), dict(zip(labels, values, strict=True)))
        return info
    metric: CounterMetricFamily | GaugeMetricFamily
    if family.kind is Kind.COUNTER:
        metric = CounterMetricFamily(name, family.help, labels=labels)
    else:
        metric = GaugeMetricFamily(name, family.help, labels=labels)
    for values, (number,) in samples.items():
        metric.add_metric(values, number)
    return metric


def _histogram(family: Family, samples: Samples) -> Metric:
    metric = HistogramMetricFamily(family.name, family.help, labels=family.labels)
    bounds = [*map(str, family.bounds), "+Inf"]
    for values, (total, *counts) in samples.items():
        metric.add_metric(values, list(zip(bounds, accumulate(counts), strict=True)), total)
    return metric
