"""CounterSeries and gauges over windows of seconds and of days."""

import pytest

from retryscope_service.monitor.series import CounterSeries, GaugeSeries

S = ("s",)


def counted(longest: float, step: float, values: list[float]) -> CounterSeries:
    """A counter with these values, so many seconds apart."""
    counters = CounterSeries(longest)
    for number, value in enumerate(values):
        counters.add(1000 + number * step, {S: value})
    return counters


class TestCounters:
    def test_grow_over_the_window_only(self) -> None:
        counters = counted(600, 5, [float(number) for number in range(1000)])
        assert counters.increase(S, 300) == pytest.approx(60)
        assert counters.increase(S, 600) == pytest.approx(120)

    def test_need_two_samples(self) -> None:
        assert counted(600, 5, [7]).increase(S, 300) is None
        assert counted(600, 5, [7, 8]).increase(S, 300) == pytest.approx(1, rel=0.51)

    def test_keep_days_in_few_samples(self) -> None:
        """Three days of five seconds would be 52,000 samples of each series."""
        counters = counted(3 * 86_400, 5, [float(number) for number in range(60_000)])
        assert counters.increase(S, 3 * 86_400) == pytest.approx(3 * 86_400 / 5, rel=1e-3)
        assert counters.increase(S, 6 * 3600) == pytest.approx(6 * 3600 / 5, rel=1e-3)
        assert counters._coarse is not None
        assert len(counters._coarse._times) < 4400
        assert len(counters._fine._times) < 800

    def test_see_what_happened_just_now_in_windows_of_days_too(self) -> None:
        counters = counted(86_400, 5, [0.0] * 1000 + [50.0])
        assert counters.increase(S, 86_400) == pytest.approx(50, rel=0.01)

    def test_count_a_series_from_its_first_increment(self) -> None:
        counters = CounterSeries(86_400)
        counters.add(1000, {})
        counters.add(1005, {})
        counters.add(1010, {S: 8.0})
        counters.add(1015, {S: 8.0})
        assert counters.increase(S, 300) == 8
        assert counters.increase(S, 86_400) == 8

    def test_after_a_gap_take_what_is_in_the_window(self) -> None:
        counters = CounterSeries(300)
        for time, value in ((1000, 0.0), (1005, 5.0), (5000, 6.0), (5005, 8.0)):
            counters.add(time, {S: value})
        assert counters.increase(S, 300) == pytest.approx(2, rel=0.51)


class TestGauges:
    def test_have_the_values_of_the_window(self) -> None:
        gauges = GaugeSeries(60)
        for number in range(100):
            gauges.add(1000 + 5 * number, {S: float(number)})
        assert gauges.values(S) == [float(number) for number in range(88, 100)]

    @pytest.mark.parametrize(("seconds", "there"), [(55, False), (60, True), (300, True)])
    def test_know_whether_they_were_there_when_the_window_began(self, seconds: int, there: bool) -> None:
        gauges = GaugeSeries(60)
        for second in range(0, seconds + 1, 5):
            gauges.add(1000 + second, {S: 1.0})
        assert gauges.was_there(S) is there

    def test_were_not_there_if_the_last_value_is_too_old(self) -> None:
        gauges = GaugeSeries(60)
        gauges.add(1000, {S: 1.0})
        gauges.add(1400, {S: 1.0})
        assert not gauges.was_there(S)

    def test_a_series_that_came_later_was_not_there(self) -> None:
        gauges = GaugeSeries(60)
        gauges.add(1000, {})
        gauges.add(1030, {S: 1.0})
        gauges.add(1060, {S: 1.0})
        assert not gauges.was_there(S)
        assert gauges.values(S) == [1.0, 1.0]
