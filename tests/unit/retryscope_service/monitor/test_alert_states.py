"""States of alerts over time; that conditions are those of the rules is shown in tests/contract."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retryscope_service.monitor.alert_states import MAX_RESOLVED, AlertStates
from retryscope_service.monitor.scrape import Scrape
from retryscope_service.slo.alerting import alerting_rule
from retryscope_service.slo.alerts.catalogue import alerts
from retryscope_service.slo.compression import Compression
from retryscope_service.slo.definition import SloDefinition, read_definition
from tests.unit.retryscope_service.monitor.scrapes import START, scrape

DEFINITION = read_definition()


class Process:
    """A process that is looked at every 15 s."""

    def __init__(self, definition: SloDefinition = DEFINITION) -> None:
        self.states = AlertStates(definition)
        self.now = START
        self.attempts = 0.0
        self.operations = 0.0

    def look(self, read: Scrape) -> bool:
        changed = self.states.evaluate(self.now, read)
        self.now += 15
        return changed

    def retry(self, minutes: float, *, attempts: float) -> list[bool]:
        """Operations that each take so many attempts; whether each look changed a state."""
        return [self._retry_once(attempts) for _ in range(round(minutes * 4))]

    def _retry_once(self, attempts: float) -> bool:
        self.operations += 10
        self.attempts += 10 * attempts
        return self.look(
            scrape(
                attempts={("w", "o", "error"): self.attempts},
                operations={("w", "o", "success"): self.operations},
            )
        )

    def state(self, alert: str = "RetryStorm", **labels: str) -> dict[str, Any]:
        (found,) = (
            each
            for each in self.states.states()
            if each["alert"] == alert and labels.items() <= each["labels"].items()
        )
        return found


@pytest.fixture
def process() -> Process:
    return Process()


class TestStates:
    def test_all_are_inactive_before_anything_is_known(self, process: Process) -> None:
        states = process.states.states()
        assert {state["state"] for state in states} == {"inactive"}
        assert {state["value"] for state in states} == {None}
        rules = [alerting_rule(alert, DEFINITION, Compression()) for alert in alerts(DEFINITION)]
        assert [(state["alert"], state["promql"], state["severity"]) for state in states] == [
            (rule["alert"], rule["expr"], rule["labels"]["severity"]) for rule in rules
        ]

    def test_pending_while_the_condition_holds_then_firing(self, process: Process) -> None:
        process.retry(1, attempts=1)
        process.retry(2, attempts=50)
        began = process.state()["since"]
        assert process.state()["state"] == "pending"
        assert START + 60 <= began < START + 180
        process.retry(4, attempts=50)
        assert process.state()["state"] == "firing"
        assert process.state()["since"] == began + 300
        assert process.state()["labels"] == {"workflow": "w", "operation": "o"}

    def test_a_condition_that_ends_in_time_never_fires(self, process: Process) -> None:
        process.retry(2, attempts=3)
        assert process.state()["state"] == "pending"
        process.retry(20, attempts=0.1)
        assert process.state()["state"] == "inactive"
        assert process.states.history() == []

    def test_a_new_condition_has_to_hold_as_long_again(self, process: Process) -> None:
        process.retry(4, attempts=3)
        process.retry(20, attempts=0.5)
        process.retry(2, attempts=50)
        assert process.state()["state"] == "pending"

    def test_what_fired_and_is_over_is_remembered(self, process: Process) -> None:
        process.retry(10, attempts=3)
        fired = process.state()["since"]
        process.retry(20, attempts=0.1)
        (resolved,) = process.states.history()
        assert resolved.pop("to") > fired
        assert resolved == {
            "alert": "RetryStorm",
            "labels": {"workflow": "w", "operation": "o"},
            "severity": "warning",
            "from": fired,
        }

    def test_what_fires_is_in_the_history_while_it_does(self, process: Process) -> None:
        """Before what is over, and with the same beginning."""
        process.retry(10, attempts=3)
        first = process.state()["since"]
        fires = {
            "alert": "RetryStorm",
            "labels": {"workflow": "w", "operation": "o"},
            "severity": "warning",
            "from": first,
            "to": None,
        }
        assert process.states.history() == [fires]
        process.retry(20, attempts=0.1)
        (over,) = process.states.history()
        assert over["to"] is not None
        process.retry(20, attempts=20)
        second = process.state()["since"]
        assert process.states.history() == [{**fires, "from": second}, over]

    def test_what_is_pending_is_not(self, process: Process) -> None:
        process.retry(2, attempts=3)
        assert process.state()["state"] == "pending"
        assert process.states.history() == []

    def test_tells_whether_anything_that_it_says_has_changed(self, process: Process) -> None:
        """A state, a value, or that a window is covered: a page that shows it is told."""
        said = process.states.states()
        told = []
        for attempts in (3.0, 3.0, 0.1):
            for _ in range(40):
                changed = process.retry(0.25, attempts=attempts)
                before, said = said, process.states.states()
                assert changed == [said != before]
                told += changed
        assert set(told) == {True, False}

    def test_one_for_each_label_set(self, process: Process) -> None:
        for number in range(40):
            count = 10.0 * number
            process.look(
                scrape(
                    attempts={("w", "o", "error"): 3 * count, ("w", "p", "error"): 4 * count},
                    operations={("w", each, "success"): count for each in ("o", "p", "fine")},
                )
            )
        assert process.state(operation="o")["value"] == pytest.approx(3)
        assert process.state(operation="p")["value"] == pytest.approx(4)
        assert len([each for each in process.states.states() if each["alert"] == "RetryStorm"]) == 2

    def test_the_history_is_bounded(self, process: Process) -> None:
        for number in range(MAX_RESOLVED + 5):
            process.look(scrape(dropped={("queue_full",): float(number)}))
            process.look(scrape(dropped={("queue_full",): float(number + 1)}))
            process.now += 3600
        process.look(scrape())
        assert len(process.states.history()) == MAX_RESOLVED

    def test_can_begin_anew(self, process: Process) -> None:
        process.retry(10, attempts=3)
        process.states.clear()
        assert process.state()["state"] == "inactive"
        process.now -= 10_000
        process.look(scrape())
        assert process.state()["value"] is None


class TestAboveItsThreshold:
    """A value above its bound that does not fire says what is lacking, and whose it is."""

    @pytest.mark.parametrize(("failed", "there_are"), [(1, "there is 1"), (9, "there are 9")])
    def test_too_few_events(self, process: Process, failed: float, there_are: str) -> None:
        for number in (0.0, failed):
            process.look(scrape(failed=number, operations={("w", "o", "error"): number}, attempts={}))
        state = process.state("OperationFailureRatioHigh")
        assert (state["state"], state["value"]) == ("inactive", 1)
        assert state["lacks"] == f"it needs at least 10 events in the last 5m, and {there_are}"
        assert state["labels"] == {"workflow": "w", "operation": "o"}
        burn = process.state("FailureBudgetBurn", long="1h")
        assert burn["lacks"] == f"it needs at least 10 events in the last 1h, and {there_are}"

    def test_enough_of_them(self, process: Process) -> None:
        for number in (0.0, 10.0):
            process.look(scrape(operations={("w", "o", "error"): number}))
        state = process.state("OperationFailureRatioHigh")
        assert (state["state"], state["lacks"]) == ("pending", None)

    def test_a_short_window_that_has_recovered(self, process: Process) -> None:
        for _ in range(2):
            process.look(scrape(failed=0.0))
        process.look(scrape(failed=50.0))
        for _ in range(60):
            process.look(scrape(failed=50.0))
        state = process.state("FailureBudgetBurn", long="1h")
        assert (state["state"], state["value"]) == ("inactive", 1)
        assert state["lacks"] == "in the last 5m it is not above it"

    def test_of_a_value_below_it_nothing_is_lacking(self, process: Process) -> None:
        process.retry(1, attempts=1.5)
        assert process.state()["lacks"] is None

    @given(
        ended=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=1, max_size=5),
        minimum=st.integers(1, 20),
    )
    def test_no_rule_is_inactive_above_its_bound_without_a_reason(
        self, ended: list[tuple[int, int]], minimum: int
    ) -> None:
        """But for Stalled: runs in flight are no fault."""
        process = Process(DEFINITION.model_copy(update={"minimum_events": minimum}))
        good = bad = 0
        for successes, failures in [(0, 0), *ended]:
            good, bad = good + successes, bad + failures
            process.look(
                scrape(
                    failed=float(bad),
                    attempts={("w", "o", "success"): good, ("w", "o", "timeout"): bad * 3},
                    operations={("w", "o", "success"): good, ("w", "o", "timeout"): bad},
                )
            )
        for state in process.states.states():
            above = state["value"] is not None and state["value"] > state["threshold"]
            if state["alert"] != "Stalled":
                assert (state["lacks"] is not None) == (above and state["state"] == "inactive"), state


class TestTexts:
    def test_say_who_is_concerned_and_what_was_measured(self, process: Process) -> None:
        process.retry(10, attempts=3)
        state = process.state()
        assert state["summary"] == "Retries multiply o (w)."
        assert state["description"] == (
            "3 attempts per operation: what it calls fails, and gets more load for it."
        )
        assert (state["threshold"], state["unit"], state["window"]) == (2, "count", "5m")

    def test_say_when_it_would_fire_while_it_does_not(self, process: Process) -> None:
        process.retry(1, attempts=1.5)
        state = process.state()
        assert (state["summary"], state["value"]) == ("Retries multiply an operation.", 1.5)
        assert state["description"] == (
            "Fires when an operation took more than 2 attempts on average in the last 5m, when it ended at"
            " least 10 times, for 5m."
        )

    @pytest.mark.parametrize("alert", sorted({state["alert"] for state in AlertStates(DEFINITION).states()}))
    def test_are_whole_sentences_and_lead_to_the_runbook(self, alert: str) -> None:
        for state in AlertStates(DEFINITION).states():
            for text in (state["summary"], state["description"]):
                assert text[0].isupper()
                assert text.endswith(".")
                assert not {"{", "}"} & set(text)
            assert state["runbook_url"] == f"/docs/runbook#{state['alert'].lower()}"

    def test_take_labels_as_they_are(self) -> None:
        process = Process()
        for number in range(40):
            process.look(
                scrape(
                    attempts={("{value}", "<b>{0}", "error"): 30.0 * number},
                    operations={("{value}", "<b>{0}", "success"): 10.0 * number},
                )
            )
        assert process.state()["summary"] == "Retries multiply <b>{0} ({value})."


class TestCover:
    def test_a_young_process_says_that_it_does_not_cover_the_window(self, process: Process) -> None:
        process.retry(5, attempts=3)  # the last look was after 4:45
        assert process.state()["covered"] is False
        process.retry(0.25, attempts=3)
        assert process.state()["covered"] is True
        assert process.state("FailureBudgetBurn", long="1h")["covered"] is False
        assert process.state("ServiceDown")["covered"] is True

    def test_evaluates_over_what_there_is_until_then(self, process: Process) -> None:
        """All fail since the process began: the window of an hour says so after minutes."""
        for number in range(20):
            process.look(scrape(failed=5.0 * number))
        state = process.state("FailureBudgetBurn", long="1h")
        assert (state["state"], state["value"], state["covered"]) == ("firing", 1.0, False)


def test_a_workflow_with_an_objective_of_its_own_has_its_own_threshold() -> None:
    objective = DEFINITION.objective.model_copy(update={"workflows": {"v": 0.95}})
    process = Process(DEFINITION.model_copy(update={"objective": objective}))
    for number in range(20):
        ended = {(w, outcome): 5.0 * number for w in "vw" for outcome in ("success", "error")}
        process.look(Scrape(runs={(w, outcome): number for (w, outcome), number in ended.items()}))
    assert process.state("FailureBudgetBurn", long="3d", workflow="w")["threshold"] == pytest.approx(0.01)
    assert process.state("FailureBudgetBurn", long="3d", workflow="v")["threshold"] == pytest.approx(0.05)
