"""What README and the documents say is so."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from instrumentation import semconv
from instrumentation.metrics import SERIES_PER_OPERATION
from service.settings import Settings
from service.workflows import WORKFLOWS
from tests.support.known import is_known, table
from tests.support.promql import metric_uses

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_name_in_a_document_exists(page: Path) -> None:
    """A metric or an attribute that is named like one of ours is one of ours."""
    text = page.read_text()
    assert set(re.findall(r"(?<![:\w])(?:resilience|retryscope_run|retryscope_runs)_\w+", text)) <= _series()
    known = semconv.ATTRIBUTES.keys() | semconv.EVENTS.keys()
    assert set(re.findall(r"\b(?:resilience|retryscope\.run)\.[\w.]+\w", text)) <= known


PROMQL = [
    (page, block)
    for page in PAGES
    for block in re.findall(r"^```promql\n(.*?)^```$", page.read_text(), flags=re.MULTILINE | re.DOTALL)
]


@pytest.mark.parametrize(("page", "block"), PROMQL, ids=lambda value: getattr(value, "name", None))
def test_every_expression_in_a_document_asks_for_series_and_labels_that_exist(page: Path, block: str) -> None:
    """An expression ends at an empty line, or where the next line would not go on with it."""
    known = table(ROOT / "deploy/prometheus/rules")
    expressions = re.split(r"\n(?!\s|$)|\n\n", re.sub(r"^#.*\n", "", block, flags=re.MULTILINE).strip())
    for expression in expressions:
        uses = list(metric_uses(expression))
        assert uses, expression
        assert [use for use in uses if not is_known(use, known)] == [], expression


def _series() -> set[str]:
    suffixes = {"counter": ["_total"], "gauge": [""], "histogram": ["_bucket", "_sum", "_count", ""]}
    return {metric.name + suffix for metric in semconv.METRICS.values() for suffix in suffixes[metric.type]}


def test_the_settings_table_is_the_settings() -> None:
    """Every variable, with its default, and none that does not exist."""
    rows = dict(re.findall(r"^\| `(RETRYSCOPE_\w+)` \| (\S+) \|", README, flags=re.MULTILINE))
    assert rows == {
        f"RETRYSCOPE_{name.upper()}": _shown(field.default) for name, field in Settings.model_fields.items()
    }


def _shown(default: object) -> str:
    if default in (None, "", ()):
        return "(none)"
    if isinstance(default, bool):
        return str(default).lower()
    return f"{default:g}" if isinstance(default, float) else str(default)


def test_what_the_library_records_is_on_a_page_with_what_it_says() -> None:
    """Every attribute, event and metric of its own, and the most series that an operation can have."""
    page = (ROOT / "docs/telemetry.md").read_text()
    rows = set(re.findall(r"^\| `([^`]+)` \|(?:.*\|)? (.+) \|$", page, flags=re.MULTILINE))
    said = {name: attribute.help for name, attribute in semconv.ATTRIBUTES.items()} | dict(semconv.EVENTS)
    own = {(name, text) for name, text in said.items() if name.startswith("resilience.")}
    own |= {(name, said[name]) for name in (semconv.ERROR_TYPE, semconv.HTTP_RESEND_COUNT)}
    own |= {
        (f"{name}_total" if metric.type == "counter" else name, metric.help)
        for name, metric in semconv.METRICS.items()
        if name.startswith("resilience_")
    }
    assert rows - {("exception", said["exception"])} == own
    assert f"at most **{SERIES_PER_OPERATION} series**" in page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    """Of this repository; a fragment is a heading of the page."""
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text()):
        name, _, fragment = target.partition("#")
        file = page.parent / name
        assert file.is_file(), target
        if fragment:
            headings = re.findall(r"^#+ (.*)$", file.read_text(), flags=re.MULTILINE)
            assert fragment in [each.lower().replace(" ", "-") for each in headings], target


@pytest.mark.parametrize("name", WORKFLOWS)
def test_each_workflow_is_explained_with_all_its_parameters(name: str) -> None:
    """A heading for each workflow; below it every parameter, and a trace."""
    section = re.search(rf"^### `{name}`.*?(?=^###? )", README, flags=re.DOTALL | re.MULTILINE)
    assert section is not None
    own = WORKFLOWS[name].params.model_fields.keys() - {"seed", "time_scale"}
    assert [parameter for parameter in sorted(own) if f"`{parameter}`" not in section[0]] == []
    assert f"workflow {name}" in section[0]
