"""Links into Explore, as a browser would follow them."""

import json
import re
from urllib.parse import parse_qs, unquote, urlsplit

from grafana import traces
from retryscope_service.slo import traceql
from tests.support.names import ATTRIBUTES


def followed(url: str, **values: str) -> str:
    """The TraceQL query that Explore gets when Grafana has filled in these."""

    def value(match: re.Match[str]) -> str:
        return values.get(match[1], "x")

    filled = re.sub(r"\$\{([^}]+)\}", value, url)
    (panes,) = parse_qs(urlsplit(filled).query)["panes"]
    query: str = json.loads(panes)["traces"]["queries"][0]["query"]
    return query


def test_a_click_on_a_series_searches_for_its_labels() -> None:
    link = traces.of_series("workflow", "outcome").build()
    query = followed(
        str(link.url),
        **{"job": "shop", "__field.labels.workflow": "check%20out", "__field.labels.outcome": "timeout"},
    )
    assert query == (
        '{ resource.service.name = "shop" && span.resilience.workflow = "check out"'
        ' && span.resilience.outcome = "timeout" }'
    )


def test_a_link_survives_grafanas_sanitizer() -> None:
    """It decodes an address as decodeURI does: all but the characters that separate its parts."""
    url = str(traces.explore("Traces", traceql.IS_WORKFLOW, traceql.FAILED).build().url)
    reserved = {f"%{ord(character):02X}" for character in ";/?:@&=+$,#"}

    def decoded(match: re.Match[str]) -> str:
        return match[0] if match[0] in reserved else unquote(match[0])

    assert followed(re.sub("%[0-9A-F]{2}", decoded, url)) == followed(url)


def test_all_workflows_survive_the_way_through_an_address() -> None:
    """`.*` does; the plus sign of `.+` would arrive as a space."""
    link = traces.explore("Traces", traces.IN_WORKFLOWS).build()
    assert 'span.resilience.workflow =~ ".*"' in followed(str(link.url), **{"workflow:pipe": ".*"})


def test_every_label_that_can_be_searched_is_an_attribute_of_spans() -> None:
    assert set(traces.LABELS.values()) <= set(ATTRIBUTES)
