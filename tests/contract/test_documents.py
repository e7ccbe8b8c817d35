"""What README and the documents say is so."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from retryscope import semconv
from retryscope.metrics import SERIES_PER_OPERATION
from retryscope_service.operations.operations import OperationParams
from retryscope_service.settings import Settings
from retryscope_service.workflows import WORKFLOWS
from retryscope_service.workflows.definition import WorkflowParams
from tests.support.known import is_known, table
from tests.support.names import ATTRIBUTES, METRICS
from tests.support.promql import metric_uses

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
DOCUMENTS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *DOCUMENTS]
DOORS = {
    "See it": {"docs/console.md", "docs/workflows.md"},
    "Use it in your service": {"docs/library.md"},
    "Run it and get alerts": {"docs/alerts.md", "docs/operations.md"},
}
"""README's first parts, and where each leads on to."""


def _links(text: str) -> list[str]:
    """To files of this repository and parts of the page itself."""
    return re.findall(r"\]\((?!https?:)([^)]+)\)", text)


def _parts(text: str) -> dict[str, str]:
    """The text below each heading of the second level, in order; before the first it is below ""."""
    title, *rest = re.split(r"^## (.*)\n", text, flags=re.MULTILINE)
    return {"": title} | dict(zip(rest[::2], rest[1::2], strict=True))


def test_the_readme_is_short_and_begins_with_a_picture_and_three_doors() -> None:
    """A stranger sees what it is, then what to do; the rest is in `docs`."""
    assert len(README.splitlines()) <= 200
    opening, *parts = _parts(README).items()
    assert re.search(r"^!\[[^\]]+\]\(docs/\S+\.png\)$", opening[1], flags=re.MULTILINE)
    assert [name for name, _ in parts[: len(DOORS)]] == list(DOORS)
    for name, text in parts[: len(DOORS)]:
        assert re.search("^```console\n\\$ ", text, flags=re.MULTILINE), f"{name}: no command to begin with"
        assert set(_links(text)) >= DOORS[name]
    assert "```python\n" in dict(parts)["Use it in your service"]


def test_the_readme_ends_with_a_table_of_all_documents() -> None:
    *_, (name, text) = _parts(README).items()
    assert name == "Documents"
    assert sorted(_links(text)) == [f"docs/{page.name}" for page in DOCUMENTS]


EXAMPLES = [
    (page, code)
    for page in PAGES
    for code in re.findall(r"^```python\n(.*?)^```$", page.read_text(), flags=re.MULTILINE | re.DOTALL)
]


@pytest.mark.parametrize(("page", "code"), EXAMPLES, ids=lambda value: getattr(value, "name", None))
def test_each_python_example_runs(page: Path, code: str, tmp_path: Path) -> None:
    """The examples are programs; they print what the comment says, end well and say nothing on stderr."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    said = re.findall(r"^print\(.*\)  # (.*)$", code, flags=re.MULTILINE)
    assert said, page
    assert done.stdout.splitlines() == said


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_name_in_a_document_exists(page: Path) -> None:
    """A metric or an attribute that is named like one of ours is one of ours."""
    text = page.read_text()
    assert set(re.findall(r"(?<![:\w])(?:resilience|retryscope_run|retryscope_runs)_\w+", text)) <= _series()
    known = ATTRIBUTES.keys() | semconv.EVENTS.keys()
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
    return {metric.name + suffix for metric in METRICS.values() for suffix in suffixes[metric.type]}


def test_the_settings_table_is_the_settings() -> None:
    """Every variable, with its default, and none that does not exist."""
    page = (ROOT / "docs/settings.md").read_text()
    rows = dict(re.findall(r"^\| `(RETRYSCOPE_\w+)` \| (\S+) \|", page, flags=re.MULTILINE))
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
    for target in _links(page.read_text()):
        name, _, fragment = target.partition("#")
        file = page.parent / name if name else page
        assert file.is_file(), target
        if fragment:
            headings = re.findall(r"^#+ (.*)$", file.read_text(), flags=re.MULTILINE)
            assert fragment in [each.lower().replace(" ", "-") for each in headings], target


def test_every_test_that_the_rules_of_asyncio_name_is_there() -> None:
    """The rules are numbered without a gap: tests cite them."""
    page = ROOT / "docs/asyncio.md"
    rules = re.findall(
        r"^\*\*(\d+)\. (.*?)(?=^\*\*\d+\. |\Z)", page.read_text(), flags=re.MULTILINE | re.DOTALL
    )
    assert [int(number) for number, _ in rules] == list(range(1, len(rules) + 1))
    for number, text in rules:
        named = re.findall(r"\[(test_\w+)\]\(([^)]+)\)", text)
        assert named, f"rule {number} names no test"
        for name, file in named:
            assert f"def {name}(" in (page.parent / file).read_text(), f"rule {number}: {name}"


@pytest.mark.parametrize("name", WORKFLOWS)
def test_each_workflow_is_explained_with_all_its_parameters(name: str) -> None:
    """A heading for each workflow; below it a trace and its own parameters, above all of them the others."""
    text = (ROOT / "docs/workflows.md").read_text()
    (section,) = [part for heading, part in _parts(text).items() if heading.startswith(f"`{name}`: ")]
    parameters = WORKFLOWS[name].params.model_fields.keys()
    common = parameters & (WorkflowParams.model_fields.keys() | OperationParams.model_fields.keys())
    introduction = text.partition("\n## ")[0]
    assert [each for each in sorted(common) if f"`{each}`" not in introduction] == []
    assert [each for each in sorted(parameters - common) if f"`{each}`" not in section] == []
    assert f"workflow {name}" in section
