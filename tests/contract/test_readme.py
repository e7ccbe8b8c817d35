"""What README says is so."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from instrumentation import semconv
from service.settings import Settings
from service.workflows import WORKFLOWS

README = (Path(__file__).parents[2] / "README.md").read_text()


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.mark.parametrize("code", _blocks("python"))
def test_each_python_example_runs(code: str, tmp_path: Path) -> None:
    """The examples are programs; they end well and say nothing on stderr."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "{'price': 499, 'stock': 3}\n"


def test_every_metric_named_exists() -> None:
    """A name that starts like one of ours is one of ours."""
    exposed = set()
    for metric in semconv.METRICS.values():
        suffixes = {"counter": ["_total"], "gauge": [""], "histogram": ["_bucket", "_sum", "_count"]}
        exposed |= {metric.name + suffix for suffix in suffixes[metric.type]}
    named = set(re.findall(r"\bresilience_\w+", README))
    assert named
    assert named <= exposed


def test_every_attribute_named_exists() -> None:
    """As for metrics."""
    named = set(re.findall(r"\bresilience\.[\w.]+\w", README))
    assert named
    assert named <= semconv.ATTRIBUTES.keys() | semconv.EVENTS.keys()


def test_the_settings_table_is_the_settings() -> None:
    """Every variable, with its default, and none that does not exist."""
    rows = dict(re.findall(r"^\| `(RETRYSCOPE_\w+)` \| (\S+) \|", README, flags=re.MULTILINE))
    actual = {}
    for name, field in Settings.model_fields.items():
        default = field.default
        text = (
            str(default).lower()
            if isinstance(default, bool)
            else f"{default:g}"
            if isinstance(default, float)
            else str(default)
        )
        actual[f"RETRYSCOPE_{name.upper()}"] = text
    assert rows == actual


@pytest.mark.parametrize("name", WORKFLOWS)
def test_each_workflow_is_explained_with_all_its_parameters(name: str) -> None:
    """A heading for each workflow; below it every parameter, and a trace."""
    section = re.search(rf"^### `{name}`.*?(?=^###? )", README, flags=re.DOTALL | re.MULTILINE)
    assert section is not None
    own = WORKFLOWS[name].params.model_fields.keys() - {"seed", "time_scale"}
    assert [parameter for parameter in sorted(own) if f"`{parameter}`" not in section[0]] == []
    assert f"workflow {name}" in section[0]
