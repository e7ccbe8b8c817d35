"""``/docs``: the OpenAPI document as a page without scripts."""

import base64
import hashlib
import json
import re
import shlex
from html import unescape
from html.parser import HTMLParser
from urllib.parse import urlsplit

from retryscope_service.api.docs import render_docs
from tests.unit.retryscope_service.helpers import DOCUMENT, Api


class Page(HTMLParser):
    """What a browser would make of the page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag != "p":  # may be left out
            assert self.open.pop() == tag
        elif self.open and self.open[-1] == "p":
            self.open.pop()


async def test_its_policy_allows_its_own_style_and_nothing_else(api: Api) -> None:
    """No script, no inline code but the one style sheet whose hash the policy names."""
    answer = await api.get("/docs")
    assert (answer.status, answer.content_type) == (200, "text/html")
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    (style,) = re.findall("<style>(.*?)</style>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == {
        "default-src": "'none'",
        "style-src": f"'sha256-{digest}'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_it_loads_nothing_and_runs_nothing(api: Api) -> None:
    """Elements that would are not there, nor handlers or styles in attributes, and all tags are closed."""
    page = Page((await api.get("/docs")).text)
    assert page.open == []
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "link", "img", "iframe", "form", "object"})
    attributes = {name for _, attrs in page.tags for name in attrs}
    assert attributes <= {"lang", "charset", "name", "content", "href"}


async def test_it_shows_every_operation_parameter_default_and_status(api: Api) -> None:
    """Nothing of the document is missing on the page."""
    text = unescape((await api.get("/docs")).text)
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            assert f"<h2>{method.upper()} {path}</h2><p>{operation['summary']}</p>" in text
            shown_here = text.partition(f"<h2>{method.upper()} {path}</h2>")[2].partition("<h2>")[0]
            for parameter in operation.get("parameters", ()):
                name, place, schema = parameter["name"], parameter["in"], parameter["schema"]
                row = shown_here.partition(f"<tr><td><code>{name}</code></td><td>{place}</td>")[2]
                row = row.partition("</tr>")[0]
                assert ("<td>required</td>" in row) == parameter.get("required", False)
                wanted = [*schema.get("enum", ()), *schema.get("items", {}).get("enum", ())]
                wanted += [
                    schema[key] for key in ("default", "maximum", "maxItems", "pattern") if key in schema
                ]
                assert [str(each) for each in wanted if str(each) not in row] == []
                assert row, f"{name} of {method} {path} is not shown"
            for status in operation["responses"]:
                assert f"<td>{status}</td>" in text
            if "requestBody" in operation:
                content = operation["requestBody"]["content"]["application/json"]
                schema = DOCUMENT["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
                for name, default in content["example"].items():
                    needed = name in schema.get("required", ())
                    shown = "required" if needed else f"<code>{json.dumps(default)}</code>"
                    assert f"<tr><td><code>{name}</code></td><td>{shown}</td>" in text
    assert "<code>alerts</code></td><td>required</td>" in text
    assert "<td>>= 0.0001, <= 10</td>" in text


async def test_its_commands_work(api: Api) -> None:
    """What the page tells to paste into a shell is a valid request."""
    text = unescape((await api.get("/docs")).text)
    commands = re.findall("<pre>(curl .*?)</pre>", text, re.DOTALL)
    assert len(commands) == 14
    for command in commands:
        curl, *options, body, url = shlex.split(command)
        assert curl == "curl"
        assert options in (["--json"], ["-X", "PUT", "--json"])
        path = urlsplit(url).path
        if path.endswith("/runs"):  # the same body in the background; there is no engine here
            path = path.removesuffix("/runs")
        if "PUT" in options:  # traffic needs a service that listens
            assert (await api.call("PUT", path, content=body)).status == 503
        else:
            assert (await api.call("POST", path, content=body)).status in {200, 204, 502}


def test_texts_are_escaped() -> None:
    """A summary is shown, never run."""
    evil = "<script>alert(1)</script>&'\""
    document = json.loads(json.dumps(DOCUMENT))
    document["info"] = {"title": evil, "version": evil, "description": evil}
    document["paths"]["/workflows"]["get"]["summary"] = evil
    document["paths"]["/workflows"]["get"]["responses"]["200"]["description"] = evil
    page = render_docs(document)
    assert "<script" not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;&amp;") == 6
