from dataclasses import replace
from datetime import UTC, datetime

from prometheus_client.parser import text_string_to_metric_families

from verkehrspuls.metrics import Metrics
from verkehrspuls.storage.alerts import HeldUp
from verkehrspuls.storage.operation import (
    OfMunicipality,
    OfReason,
    OpenCases,
    State,
    Verdicts,
    Work,
)

NOW = datetime(2026, 11, 28, tzinfo=UTC)

LEDGER = OfMunicipality(
    municipality=None,
    messages_received=7,
    messages_accepted=1,
    messages_partly_accepted=2,
    messages_rejected=3,
    messages_unknown_sensor=1,
    readings_received=9,
    readings_stored=2,
    readings_duplicate=3,
    readings_corrected=1,
    readings_rejected=3,
    readings_late=2,
    readings_overlapping=5,
    sequence_lost=4,
)
STATE = State(
    ledger=[LEDGER],
    rejected=[OfReason('with "quotes"\nand lines', messages=3, only_counted=2)],
    cases=[OpenCases("kusel", 2)],
    health=[Verdicts("kusel", "frozen", 3)],
    work=Work(5, since_last_commit_s=1.5, certificate_ends=None),
    alerts=HeldUp(waiting=12, oldest_s=600.0, given_up=1),
)


def samples(text: bytes) -> dict[tuple[str, tuple[str, ...]], float]:
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_metrics_tell_the_databases_sums() -> None:
    found = samples(Metrics().render(STATE))
    assert found["verkehrspuls_database_up", ()] == 1
    assert found["verkehrspuls_messages_received_total", ("",)] == 7
    assert found["verkehrspuls_messages_total", ("", "rejected")] == 3
    assert found["verkehrspuls_readings_total", ("", "stored")] == 2
    assert found["verkehrspuls_stale_buckets", ()] == 5
    assert found["verkehrspuls_seconds_since_last_commit", ()] == 1.5
    assert found["verkehrspuls_open_cases", ("kusel",)] == 2
    assert found["verkehrspuls_channels", ("kusel", "frozen")] == 3
    reason = ('with "quotes"\nand lines',)
    assert found["verkehrspuls_rejected_messages_total", reason] == 3
    assert found["verkehrspuls_rejected_messages_only_counted_total", reason] == 2
    assert found["verkehrspuls_readings_late", ("",)] == 2
    assert found["verkehrspuls_readings_overlapping", ("",)] == 5
    assert found["verkehrspuls_sequence_lost", ("",)] == 4
    assert found["verkehrspuls_alerts_waiting", ()] == 12
    assert found["verkehrspuls_alerts_given_up", ()] == 1


def test_without_a_database_only_the_process_is_told_of() -> None:
    metrics = Metrics()
    metrics.observe_request("GET", "/api/v1/sites", 200, 0.2)
    metrics.observe_request("BREW", "unmatched", 405, 0.1)
    found = samples(metrics.render(None))
    assert found["verkehrspuls_database_up", ()] == 0
    name = "verkehrspuls_request_duration_seconds_count"
    assert found[name, ("GET", "/api/v1/sites", "200")] == 1
    assert found[name, ("other", "unmatched", "405")] == 1
    assert not any("messages" in name for name, _ in found)


def test_a_database_without_messages_has_no_age() -> None:
    work = Work(0, since_last_commit_s=None, certificate_ends=NOW)
    state = replace(STATE, work=work)
    names = {name for name, _ in samples(Metrics().render(state))}
    assert "verkehrspuls_seconds_since_last_commit" not in names
