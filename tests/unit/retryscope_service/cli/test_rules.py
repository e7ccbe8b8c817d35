"""`retryscope rules`: the rules on standard output, and nothing else there."""

from pathlib import Path

import pytest
import yaml

from retryscope_service import cli
from retryscope_service.resources import resource
from retryscope_service.slo.definition import PACKAGED, read_definition
from retryscope_service.slo.rules import prometheus_rule, render_rules


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert cli.main(["rules", *arguments]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_prints_the_shipped_rules(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys) == (resource("deploy/prometheus/rules") / "retryscope.yml").read_text()


def test_prints_those_of_another_definition(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    definition = yaml.safe_load(PACKAGED.read_text())
    definition["job"] = "shop"
    slo = tmp_path / "slo.yml"
    slo.write_text(yaml.safe_dump(definition))
    out = printed(capsys, "--slo", str(slo))
    assert out == render_rules(read_definition(slo))
    assert 'absent(up{job="shop"})' in out


def test_prints_them_on_a_faster_clock(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, "--scale", "0.005", "--floor", "2")
    assert out == render_rules(read_definition(), scale=0.005, floor_seconds=2.0)
    assert "[2s]" in out


def test_a_faster_clock_leaves_four_scrapes_of_the_stack_at_that_scale(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Fewer, and one late scrape would be an outage."""
    out = printed(capsys, "--scale", "0.005")
    assert out == render_rules(read_definition(), scale=0.005, floor_seconds=2.0)
    assert printed(capsys, "--scale", "0.5") == render_rules(read_definition(), scale=0.5, floor_seconds=10.0)


def test_prints_them_for_kubernetes(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, "--format", "kubernetes")
    assert out == prometheus_rule(read_definition())
    assert yaml.safe_load(out)["kind"] == "PrometheusRule"


def test_a_cluster_gets_no_faster_clock(capsys: pytest.CaptureFixture[str]) -> None:
    """Silently ignoring the option would be worse."""
    assert cli.main(["rules", "--format", "kubernetes", "--scale", "0.5"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "--scale and --floor are for --format prometheus" in err


@pytest.mark.parametrize(
    ("text", "said"), [("job: 3", "job is 3"), ("[", "slo.yml: "), (None, "No such file")]
)
def test_a_wrong_definition_is_named(
    text: str | None, said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    slo = tmp_path / "slo.yml"
    if text is not None:
        slo.write_text(text)
    assert cli.main(["rules", "--slo", str(slo)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert str(slo) in err
    assert said in err
