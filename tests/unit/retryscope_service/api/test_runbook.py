"""``/docs/runbook``: the runbook as a page, whose headings an alert links to."""

import re
from html import unescape

import pytest

from retryscope_service.api.runbook import render_runbook
from retryscope_service.resources import resource
from tests.unit.retryscope_service.api.test_docs import Page
from tests.unit.retryscope_service.helpers import Api

TEXT = """\
# Runbook

Before.

## FailureBudgetBurn

A `retry` that *fails*: [PromQL](http://127.0.0.1:9090/graph?a=b&c=d).

```promql
rate(x[5m]) > 1 and y < 2
```

| label | meaning |
|---|---|
| `job` | which service |

### First look

## What is up, doc? (`job`)
### First look
## 再試行 The_Storm - 2
"""


def ids(page: str) -> list[str]:
    """Those of the headings, in their order."""
    return re.findall(r'<h\d id="([^"]*)">', page)


def entries(page: str) -> list[tuple[str, str]]:
    """The table of contents: links and their words."""
    (contents,) = re.findall(r"<nav>(.*?)</nav>", page, re.DOTALL)
    return [(id_, unescape(words)) for id_, words in re.findall(r'<a href="#([^"]*)">(.*?)</a>', contents)]


def test_headings_have_the_ids_that_github_gives_them() -> None:
    """Small letters, hyphens for spaces, no punctuation; a number where there was one before."""
    assert ids(render_runbook(TEXT)) == [
        "runbook",
        "failurebudgetburn",
        "first-look",
        "what-is-up-doc-job",
        "first-look-1",
        "再試行-the_storm---2",
    ]


def test_its_sections_are_listed_first() -> None:
    """Those of the second level, each with a link to it."""
    page = render_runbook(TEXT)
    assert entries(page) == [
        ("failurebudgetburn", "FailureBudgetBurn"),
        ("what-is-up-doc-job", "What is up, doc? (job)"),
        ("再試行-the_storm---2", "再試行 The_Storm - 2"),
    ]
    assert page.index("<nav>") < page.index("<h1")


def test_a_text_without_sections_has_no_list_of_them() -> None:
    assert "<nav>" not in render_runbook("# Runbook\n")
    assert "<h1 id=" in render_runbook("# Runbook\n")


def test_tables_code_and_links_are_such() -> None:
    """What a runbook needs."""
    page = render_runbook(TEXT)
    assert "<td><code>job</code></td>\n<td>which service</td>" in page
    assert '<pre><code class="language-promql">rate(x[5m]) &gt; 1 and y &lt; 2\n</code></pre>' in page
    assert '<a href="http://127.0.0.1:9090/graph?a=b&amp;c=d">PromQL</a>' in page
    assert Page(page).open == []


@pytest.mark.parametrize(
    "evil",
    [
        "<script>alert(1)</script>",
        "text <img src=x onerror=alert(1)> text",
        "[a](javascript:alert(1))",
        "## <script>alert(1)</script>",
        '## "><script>alert(1)</script>',
        "`<script>`",
    ],
)
def test_html_is_shown_and_never_run(evil: str) -> None:
    """In the text, in headings and in the list of them."""
    page = Page(render_runbook(evil))
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "img"})
    assert not any("javascript" in str(value) for _, attrs in page.tags for value in attrs.values())


async def test_it_is_served_under_the_policy_of_docs(api: Api) -> None:
    """Its own style and nothing else; no script, nothing from elsewhere."""
    runbook, docs = await api.get("/docs/runbook"), await api.get("/docs")
    assert (runbook.status, runbook.content_type) == (200, "text/html")
    for name in ("Content-Security-Policy", "X-Content-Type-Options"):
        assert runbook.headers[name] == docs.headers[name]
    styles = [re.findall("<style>(.*?)</style>", each.text, re.DOTALL) for each in (runbook, docs)]
    assert styles[0] == styles[1]
    page = Page(runbook.text)
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "link", "img", "iframe", "form", "object"})
    assert "style" not in {name for _, attrs in page.tags for name in attrs}
    assert 'href="docs/runbook"' in docs.text


async def test_every_section_of_the_runbook_can_be_linked_to(api: Api) -> None:
    """The link in an alert is its name in small letters."""
    page = (await api.get("/docs/runbook")).text
    text = re.sub(
        r"^(```+).*?^\1", "", resource("docs/runbook.md").read_text(), flags=re.DOTALL | re.MULTILINE
    )
    sections = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert sections
    for section in sections:
        if section.isalnum():
            assert f'<h2 id="{section.lower()}">{section}</h2>' in page
    assert [words for _, words in entries(page)] == [section.replace("`", "") for section in sections]


async def test_head_and_what_is_not_there(api: Api) -> None:
    """HEAD is GET without the body; a trailing slash is another path."""
    get, head = await api.get("/docs/runbook"), await api.call("HEAD", "/docs/runbook")
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", str(len(get.body)))
    assert (await api.get("/docs/runbook/")).status == 404
    assert (await api.get("/docs/other")).status == 404
