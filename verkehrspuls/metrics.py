"""Metrics in the Prometheus text format, in a separate registry.

Sums are read from the database on each request, so that they cover all workers and
survive a restart; requests, their durations and refusals are of this process only.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from verkehrspuls.storage.operation import OfMunicipality, State

MESSAGE_OUTCOMES = ("accepted", "partly_accepted", "rejected", "unknown_sensor")
READING_OUTCOMES = ("stored", "duplicate", "corrected", "rejected")
METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})


class Metrics:
    """The metrics of one process, rendered together with the database's."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Histogram(
            "verkehrspuls_request_duration_seconds",
            "Time from request to the end of the response.",
            ("method", "route", "status"),
            registry=self._registry,
        )
        self._refused = Counter(
            "verkehrspuls_refused_requests",
            "Requests refused because of a limit a minute, by its setting.",
            ("limit",),
            registry=self._registry,
        )

    def observe_request(
        self, method: str, route: str, status: int, seconds: float
    ) -> None:
        """Count a request; `route` is the pattern, so that labels stay few."""
        known = method if method in METHODS else "other"
        self._requests.labels(known, route, str(status)).observe(seconds)

    def count_refused(self, limit: str) -> None:
        """Count a request that a limit refused."""
        self._refused.labels(limit).inc()

    def render(self, state: "State | None") -> bytes:
        """Render all metrics.

        `state` is the result of `operation.read_state`; None if the database does not
        answer.
        """
        stored = CollectorRegistry()
        stored.register(_State(state))
        return generate_latest(stored) + generate_latest(self._registry)


class _State(Collector):
    def __init__(self, state: "State | None") -> None:
        self.state = state

    def collect(self) -> Iterable[Metric]:
        yield GaugeMetricFamily(
            "verkehrspuls_database_up",
            "Whether the database answered.",
            value=float(self.state is not None),
        )
        if self.state is None:
            return
        yield from _ledger(self.state.ledger)
        rejected = self.state.rejected
        yield _family(
            CounterMetricFamily,
            "verkehrspuls_rejected_messages",
            "Messages that could not be used, wholly or in part.",
            ("reason",),
            ((row.messages, row.reason) for row in rejected),
        )
        yield _family(
            CounterMetricFamily,
            "verkehrspuls_rejected_messages_only_counted",
            "Those of them that were not kept, because there was no room: an alarm.",
            ("reason",),
            ((row.only_counted, row.reason) for row in rejected),
        )
        yield _family(
            GaugeMetricFamily,
            "verkehrspuls_open_cases",
            "Open anomaly cases that last or ended no more than a week ago.",
            ("municipality",),
            ((town.cases, town.municipality) for town in self.state.cases),
        )
        yield _family(
            GaugeMetricFamily,
            "verkehrspuls_channels",
            "Channels by what was found of their health on their newest day.",
            ("municipality", "verdict"),
            (
                (row.channels, row.municipality, row.verdict)
                for row in self.state.health
            ),
        )
        work = self.state.work
        yield GaugeMetricFamily(
            "verkehrspuls_stale_buckets",
            "Hours of channels that analytics has to compute anew.",
            value=work.stale_buckets,
        )
        if work.since_last_commit_s is not None:
            yield GaugeMetricFamily(
                "verkehrspuls_seconds_since_last_commit",
                "Age of the newest message of a broker that ingest has committed.",
                value=work.since_last_commit_s,
            )
        if work.certificate_ends is not None:
            yield GaugeMetricFamily(
                "verkehrspuls_broker_certificate_expiry_timestamp_seconds",
                "Until when the broker's certificate is valid, in Unix time.",
                value=work.certificate_ends.timestamp(),
            )
        alerts = self.state.alerts
        yield GaugeMetricFamily(
            "verkehrspuls_alerts_waiting",
            "Alerts that failed more than once or that nobody sends: an alarm.",
            value=alerts.waiting,
        )
        yield GaugeMetricFamily(
            "verkehrspuls_alerts_given_up",
            "Alerts of the last two days given up after all attempts: an alarm.",
            value=alerts.given_up,
        )


def _ledger(rows: "Sequence[OfMunicipality]") -> Iterable[Metric]:
    towns = [(row, row.municipality or "") for row in rows]
    for noun, outcomes in (
        ("messages", MESSAGE_OUTCOMES),
        ("readings", READING_OUTCOMES),
    ):
        yield _family(
            CounterMetricFamily,
            f"verkehrspuls_{noun}_received",
            f"{noun.capitalize()} received, from the ledger.",
            ("municipality",),
            ((getattr(row, f"{noun}_received"), town) for row, town in towns),
        )
        yield _family(
            CounterMetricFamily,
            f"verkehrspuls_{noun}",
            f"What became of received {noun}; adds up to those received.",
            ("municipality", "outcome"),
            (
                (getattr(row, f"{noun}_{outcome}"), town, outcome)
                for row, town in towns
                for outcome in outcomes
            ),
        )
    for name, text in (
        ("readings_late", "Readings that came later than the setting ingest.late_h."),
        ("readings_overlapping", "Readings that overlapped others when they came."),
        ("sequence_lost", "Messages missing now, by their sequence numbers."),
    ):
        values = ((getattr(row, name), town) for row, town in towns)
        yield _family(
            GaugeMetricFamily, f"verkehrspuls_{name}", text, ("municipality",), values
        )


def _family(
    kind: type[CounterMetricFamily | GaugeMetricFamily],
    name: str,
    text: str,
    labels: Sequence[str],
    values: Iterable[tuple[float, *tuple[str, ...]]],
) -> Metric:
    """Make a metric with labels; `values` are each followed by those of its labels."""
    family = kind(name, text, labels=labels)
    for value, *of in values:
        family.add_metric(of, value)
    return family
