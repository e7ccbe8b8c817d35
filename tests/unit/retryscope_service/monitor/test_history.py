"""The charts' values: what they cover, where there are none, and how long they are kept."""

from typing import Any

import pytest

from retryscope.outcome import CANCEL_CAUSES
from retryscope_service.monitor.charts import charts
from retryscope_service.monitor.history import ChartHistory, Values
from retryscope_service.monitor.scrape import Scrape
from retryscope_service.slo.definition import read_definition
from tests.unit.retryscope_service.monitor.scrapes import START, lags_up_to, runs_up_to, scrape


@pytest.fixture
def history() -> ChartHistory:
    return ChartHistory(charts(read_definition()))


def points(history: ChartHistory, key: str, step: int, now: float) -> list[float | None]:
    """The values of a series in the document."""
    document: dict[str, Any] = history.document(now)
    (found,) = [
        series["points"][str(step)]
        for chart in document["charts"]
        for series in chart["series"]
        if series["key"] == key
    ]
    assert isinstance(found, list)
    return found


def second(history: ChartHistory, number: float, read: Scrape) -> Values:
    return history.add(START + number, read)


class TestWindows:
    def test_the_finest_resolution_covers_ten_seconds(self, history: ChartHistory) -> None:
        """20 runs in the first 10 s, 5 in the next."""
        for number in range(10):
            second(history, number, scrape(runs=2.0 * number))
        assert second(history, 10, scrape(runs=20.0))["rate.success"] == 2.0
        for number in range(11, 20):
            second(history, number, scrape(runs=20 + 0.5 * (number - 10)))
        assert second(history, 20, scrape(runs=25.0))["rate.success"] == 0.5

    def test_the_coarse_resolution_covers_a_minute(self, history: ChartHistory) -> None:
        for number in range(61):
            second(history, number, scrape(runs=float(min(number, 30))))
        assert points(history, "rate.success", 10, START + 60)[-1] == 0.5
        assert points(history, "rate.success", 1, START + 60)[-1] == 0.0

    def test_late_and_early_readings_do_not_change_the_length(self, history: ChartHistory) -> None:
        for number in range(11):
            second(history, number + (0.2 if number % 2 else -0.2), scrape(runs=float(number)))
        values = second(history, 11.4, scrape(runs=11.0))
        assert values["rate.success"] == pytest.approx(10 / 10.2, rel=1e-5)

    def test_a_young_process_has_what_there_is(self, history: ChartHistory) -> None:
        assert second(history, 0, scrape(runs=7.0))["rate.success"] is None
        assert second(history, 1, scrape(runs=10.0))["rate.success"] == 3.0
        assert second(history, 2, scrape(runs=10.0))["rate.success"] == 1.5


class TestGaps:
    def test_seconds_without_a_reading_have_no_value(self, history: ChartHistory) -> None:
        for number in (0, 1, 2, 5, 6):
            second(history, number, scrape(runs=float(number)))
        assert points(history, "rate.success", 1, START + 6)[-7:] == [None, 1, 1, None, None, 1, 1]

    def test_nothing_is_known_just_after_a_suspension(self, history: ChartHistory) -> None:
        """A minute later the only scrape of the last 10 s is this one; the next one tells."""
        second(history, 0, scrape(runs=0.0))
        second(history, 1, scrape(runs=1.0))
        assert second(history, 70, scrape(runs=2.0))["rate.success"] is None
        assert second(history, 71, scrape(runs=6.0))["rate.success"] == 4.0
        assert points(history, "rate.success", 10, START + 71)[-8:] == [None] * 8

    def test_a_document_long_after_the_last_reading_ends_with_nothing(self, history: ChartHistory) -> None:
        for number in range(3):
            second(history, number, scrape(runs=float(number)))
        assert points(history, "rate.success", 1, START + 5)[-6:] == [None, 1, 1, None, None, None]


class TestDocument:
    def test_has_a_quarter_of_an_hour_and_three_hours(self, history: ChartHistory) -> None:
        second(history, 0, scrape())
        document = history.document(START + 3)
        assert document["time"] == START + 3
        assert document["resolutions"] == [
            {"step": 1, "start": START + 3 - 899, "length": 900},
            {"step": 10, "start": START - 10_790, "length": 1080},
        ]
        for chart in document["charts"]:
            for series in chart["series"]:
                assert {step: len(values) for step, values in series["points"].items()} == {
                    "1": 900,
                    "10": 1080,
                }

    def test_keeps_three_hours_and_no_more(self, history: ChartHistory) -> None:
        for number in range(0, 11_000, 5):
            second(history, number, scrape(runs=float(number)))
        kept = points(history, "rate.success", 10, START + 10_999)
        assert kept == [1.0] * 1080

    def test_rounds_to_six_digits(self, history: ChartHistory) -> None:
        second(history, 0, scrape(runs=0.0))
        assert second(history, 3, scrape(runs=1.0))["rate.success"] == 0.333333

    def test_can_begin_anew(self, history: ChartHistory) -> None:
        for number in range(20):
            second(history, number, scrape(runs=float(number)))
        history.clear()
        assert set(points(history, "rate.success", 1, START + 19)) == {None}
        assert history.add(500.0, scrape())["rate.success"] is None


class TestValues:
    """Ten seconds in which so much happened."""

    def after(self, history: ChartHistory, before: Scrape, read: Scrape) -> Values:
        second(history, 0, before)
        return second(history, 10, read)

    def test_of_runs(self, history: ChartHistory) -> None:
        ended: dict[tuple[str, ...], float] = {
            ("w", "success"): 4.0,
            ("v", "success"): 2.0,
            ("w", "exhausted"): 1.0,
            ("v", "timeout"): 1.0,
            ("v", "cancelled"): 9.0,
        }
        values = self.after(history, scrape(), Scrape(runs=ended))
        assert values["rate.success"] == 0.6
        assert values["rate.error"] == 0.0
        assert values["rate.cancelled"] == 0.9
        assert values["failure_ratio"] == 0.25

    def test_of_no_runs(self, history: ChartHistory) -> None:
        """No failures of no runs is not the same as no failures."""
        values = self.after(history, scrape(), scrape())
        assert values["rate.success"] == 0.0
        nothing = {key for key, value in values.items() if value is None}
        assert nothing == {
            *("failure_ratio", "amplification", "backoff_share"),
            *("latency.p50", "latency.p95", "latency.p99", "event_loop_lag.p50", "event_loop_lag.p99"),
        }

    def test_of_durations(self, history: ChartHistory) -> None:
        """All between 0.1 and 0.25 s: interpolated in between. The ones of before don't count."""
        before, later = runs_up_to(10.0, 50), runs_up_to(0.25, 100)
        read = scrape(run_buckets=[old + new for old, new in zip(before, later, strict=True)])
        values = self.after(history, scrape(run_buckets=before), read)
        assert (values["latency.p50"], values["latency.p99"]) == (0.175, 0.2485)

    def test_of_attempts(self, history: ChartHistory) -> None:
        read = scrape(
            attempts={("w", "o", "error"): 20.0, ("w", "o", "success"): 10.0, ("v", "p", "success"): 5.0},
            operations={("w", "o", "success"): 10.0, ("v", "p", "success"): 5.0},
            operation_seconds=50.0,
            backoff_seconds=20.0,
        )
        values = self.after(history, scrape(), read)
        assert (values["attempts.error"], values["attempts.success"]) == (2.0, 1.5)
        assert values["amplification"] == pytest.approx(35 / 15, rel=1e-5)
        assert values["backoff_share"] == 0.4

    def test_of_cancellations(self, history: ChartHistory) -> None:
        values = self.after(history, scrape(), scrape(cancellations={"deadline": 5.0}))
        assert {cause: values[f"cancellations.{cause}"] for cause in CANCEL_CAUSES} == {
            **dict.fromkeys(CANCEL_CAUSES, 0.0),
            "deadline": 0.5,
        }

    def test_of_what_is_in_flight_now(self, history: ChartHistory) -> None:
        values = self.after(
            history, scrape(in_flight={("w",): 90.0}), scrape(in_flight={("w",): 2, ("v",): 3})
        )
        assert values["in_flight"] == 5

    def test_of_the_event_loop(self, history: ChartHistory) -> None:
        values = self.after(history, scrape(), scrape(lag_buckets=lags_up_to(0.25, 100)))
        assert values["event_loop_lag.p50"] == 0.175
