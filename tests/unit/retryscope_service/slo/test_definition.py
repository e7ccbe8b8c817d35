"""Reading an SLO definition: what it says, and what is wrong with it."""

import os
import socket
from pathlib import Path

import pytest

from retryscope_service.slo.definition import MAX_BYTES, PACKAGED, InvalidDefinitionError, read_definition
from retryscope_service.slo.duration import Duration
from tests.unit.retryscope_service.slo.helpers import definition

TEXT = PACKAGED.read_text()


def faults(text: str, folder: Path) -> list[str]:
    """What is said about a definition, without the file's name, which must be in every line."""
    file = folder / "mine.yml"
    file.write_text(text)
    with pytest.raises(InvalidDefinitionError) as error:
        read_definition(file)
    lines = str(error.value).splitlines()
    assert lines[0].startswith(f"{file}: ")
    return [line.removeprefix(f"{file}: ") for line in lines]


def test_without_a_path_it_is_the_one_that_comes_with_the_service() -> None:
    slo = read_definition()
    assert (slo.job, slo.objective.ratio, str(slo.objective.window)) == ("retryscope", 0.99, "30d")


def test_the_burn_rates_are_the_table_of_the_sre_workbook() -> None:
    burns = read_definition().burn_rates
    assert [(str(b.long), str(b.short), b.factor, str(b.for_), b.severity) for b in burns] == [
        ("1h", "5m", 14.4, "2m", "critical"),
        ("6h", "30m", 6, "15m", "critical"),
        ("1d", "2h", 3, "1h", "warning"),
        ("3d", "6h", 1, "3h", "warning"),
    ]


def test_thresholds_are_data() -> None:
    """Whoever evaluates alerts elsewhere needs no PromQL for it."""
    alerts = read_definition().alerts
    assert alerts.timeout_ratio_high.threshold == 0.05
    assert alerts.retry_storm.threshold == 2
    assert alerts.concurrency_saturated.threshold == 0.9
    assert (alerts.event_loop_lag_high.quantile, alerts.event_loop_lag_high.threshold) == (0.99, 0.25)
    assert alerts.cancellation_spike.severity == "info"
    assert alerts.stalled.window == Duration.parse("10m")
    assert alerts.telemetry_dropped.for_ == Duration(0)


def test_a_file_of_ones_own_is_read(tmp_path: Path) -> None:
    file = tmp_path / "mine.yml"
    file.write_text(TEXT.replace("ratio: 0.99", "ratio: 0.999"))
    assert read_definition(file).objective.ratio == 0.999


def test_the_budget_is_what_the_objective_leaves_of_1() -> None:
    objective = definition(ratio=0.99, workflows={"checkout": 0.995}).objective
    assert objective.budget == 0.01
    assert objective.workflow_budgets == {"checkout": 0.005}


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("ratio: 0.99", "ratio: 1", "objective.ratio is 1: input should be less than 1"),
        ("ratio: 0.99", "ratio: 0", "objective.ratio is 0: input should be greater than 0"),
        ("ratio: 0.99", "ratio: .nan", "objective.ratio is nan: input should be a finite number"),
        ("ratio: 0.99", 'ratio: "0.99"', "objective.ratio is '0.99': input should be a valid number"),
        ("workflows: {}", "workflows: {a: 2}", "objective.workflows.a is 2: input should be less than 1"),
        (
            "long: 1h",
            "long: 60",
            "burn_rates.0.long: 60 is not a duration: write text with a unit, such as 5m",
        ),
        ("long: 1h", "long: 5m", "burn_rates.0: short (5m) must be shorter than long (5m)"),
        (
            "window: 15m",
            "window: 0s",
            "alerts.TelemetryDropped.window: '0s' is no window: it must be longer than 0s",
        ),
        ("factor: 14.4", "factor: 0", "burn_rates.0.factor is 0: input should be greater than 0"),
        (
            "severity: info",
            "severity: page",
            "alerts.CancellationSpike.severity is 'page': input should be 'critical', 'warning' or 'info'",
        ),
        (
            "minimum_events: 10",
            "minimum_events: 0",
            "minimum_events is 0: input should be greater than or equal to 1",
        ),
        (
            "threshold: 2,",
            "threshold: 1,",
            "alerts.RetryStorm.threshold is 1: input should be greater than 1",
        ),
        (
            "threshold: 0.25, q",
            "threshold: 5, q",
            "alerts.EventLoopLagHigh.threshold is 5: input should be less than 5",
        ),
        ("job: retryscope\n", "", "job is missing"),
        ("job: retryscope", "job: ''", "job is '': string should have at least 1 character"),
        (
            "minimum_events",
            "minimum_runs: 1\nminimum_events",
            "minimum_runs is not a field of an SLO definition",
        ),
        ("Stalled: {", "Stalled: {limit: 1, ", "alerts.Stalled.limit is not a field of an SLO definition"),
        (
            "long: 6h, short: 30m",
            "long: 1h, short: 5m",
            "burn_rates has the windows long 1h, short 5m twice",
        ),
        (
            "window: 30d",
            "window: 2d",
            "burn_rates has a long window of 3d: it must not exceed objective.window, 2d",
        ),
    ],
)
def test_what_is_wrong_is_said_with_field_value_and_bound(
    old: str, new: str, fault: str, tmp_path: Path
) -> None:
    assert old in TEXT
    assert faults(TEXT.replace(old, new, 1), tmp_path) == [fault]


@pytest.mark.parametrize(
    "url",
    ["127.0.0.1:3000", "http://127.0.0.1:3000/", "http://127.0.0.1:3000/?a=b", "http://{{ x }}", "ftp://a"],
)
def test_a_link_that_could_not_be_extended_is_refused(url: str, tmp_path: Path) -> None:
    """A path is put behind it, and Prometheus expands templates in it."""
    text = TEXT.replace("grafana_url: http://127.0.0.1:3000", f"grafana_url: '{url}'")
    (fault,) = faults(text, tmp_path)
    assert fault == (
        f"grafana_url is '{url}': it must be an http:// or https:// address without final slash, query,"
        " fragment, blank or brace"
    )


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    text = TEXT.replace("ratio: 0.99", "ratio: 1").replace("minimum_events: 10", "minimum_events: 0")
    assert len(faults(text, tmp_path)) == 2


@pytest.mark.parametrize("where", ["objective.ratio", "objective.workflows.checkout"])
def test_a_burn_rate_that_can_never_fire_is_refused(where: str, tmp_path: Path) -> None:
    """14.4 times a budget of 10 % is more than all runs."""
    old, new = ("ratio: 0.99", "ratio: 0.9") if where == "objective.ratio" else ("{}", "{checkout: 0.9}")
    (fault,) = faults(TEXT.replace(old, new, 1), tmp_path)
    assert fault == (
        f"burn_rates has the factor 14.4 and {where} is 0.9: no failure ratio exceeds 14.4 x 0.1 = 1.44, so"
        " this alert can never fire; set the factor below 10 or the objective above 0.930556"
    )


def test_a_burn_rate_of_exactly_1_can_never_fire_either(tmp_path: Path) -> None:
    text = TEXT.replace("ratio: 0.99", "ratio: 0.5").replace("14.4", "2").replace("factor: 6", "factor: 1.5")
    (fault,) = faults(text.replace("factor: 3", "factor: 1.2"), tmp_path)
    assert "2 x 0.5 = 1, so this alert can never fire" in fault


def test_a_key_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    fault, *_ = faults(TEXT + "\njob: other\n", tmp_path)
    assert fault == "the key 'job' is there twice"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidDefinitionError, match=r"nowhere\.yml: No such file or directory$"):
        read_definition(tmp_path / "nowhere.yml")


@pytest.mark.parametrize(("text", "fault"), [("", "the document is None"), ("[]", "the document is []")])
def test_a_document_that_is_no_definition_is_refused(text: str, fault: str, tmp_path: Path) -> None:
    assert faults(text, tmp_path) == [f"{fault}: it must be a mapping of fields to values"]


def test_what_is_nested_too_deeply_is_refused_by_name(tmp_path: Path) -> None:
    """It is no definition, and no reason for a traceback."""
    file = tmp_path / "deep.yml"
    file.write_text("[" * 5000)
    with pytest.raises(InvalidDefinitionError, match=r"deep\.yml: it is nested too deeply"):
        read_definition(file)


def refused(path: Path) -> str:
    with pytest.raises(InvalidDefinitionError) as error:
        read_definition(path)
    assert len(str(error.value)) < 5_000
    return str(error.value)


class TestWhatIsNoDefinition:
    def test_a_pipe_is_not_waited_for(self, tmp_path: Path) -> None:
        """Nobody may ever write to it."""
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        assert refused(pipe) == f"{pipe}: an SLO definition is a regular file"

    @pytest.mark.parametrize("path", ["/dev/zero", "/dev/null"])
    def test_nor_is_a_device_read(self, path: str) -> None:
        assert refused(Path(path)) == f"{path}: an SLO definition is a regular file"

    def test_nor_a_folder(self, tmp_path: Path) -> None:
        assert refused(tmp_path) == f"{tmp_path}: Is a directory"

    def test_a_socket_can_not_be_opened(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)  # a socket's path is short
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("s")
            assert refused(Path("s")).startswith("s: ")

    def test_a_file_beyond_the_bound(self, tmp_path: Path) -> None:
        """A sparse one of a terabyte is not read either."""
        file = tmp_path / "huge.yml"
        with file.open("wb") as huge:
            huge.truncate(2**40)
        assert refused(file) == f"{file}: an SLO definition has at most {MAX_BYTES} bytes"

    def test_the_largest_file_is_read(self, tmp_path: Path) -> None:
        file = tmp_path / "large.yml"
        file.write_text(TEXT.ljust(MAX_BYTES - 10, "\n"))
        assert read_definition(file) == read_definition()

    def test_a_name_with_a_nul_or_too_long(self) -> None:
        assert "no file has a NUL in its name" in refused(Path("a\0b"))
        assert "File name too long" in refused(Path("a" * 300))

    def test_a_binary(self, tmp_path: Path) -> None:
        file = tmp_path / "mine.yml"
        file.write_bytes(b"job: \xff\xfe")
        assert refused(file) == f"{file}: byte 6 of it is no UTF-8 text"

    @pytest.mark.parametrize(
        "text",
        [
            "a: " + "9" * 5000,
            f"minimum_events: {'9' * 5000}",
            f"objective: {{ratio: 0.{'9' * 5000}}}",
            f"alerts: {{ServiceDown: {{for: {'9' * 5000}h, severity: info}}}}",
            "alerts: {ServiceDown: {for: " + "9" * 18 + "w, severity: info}}",
            f"job: {'[' * 30_000}",
            "a: &a [1]\nb: &b [*a, *a]\nc: [*b, *b]",
            "\0",
            "".join(f"k{n}: 1\n" for n in range(5000)),
            f"{'k' * 30_000}: 1",
            f"job: [{'1, ' * 10_000}]",
            '{"a": "\\ud800"}',
            "job: \x9b",
        ],
    )
    def test_whatever_a_file_holds_is_refused_in_few_words(self, text: str, tmp_path: Path) -> None:
        """And not in Python's own, which say what to set in Python."""
        file = tmp_path / "mine.yml"
        file.write_text(text)
        assert "set_int_max_str_digits" not in refused(file)
