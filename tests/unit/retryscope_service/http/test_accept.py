"""Who gets the page and who the API's answer, at the addresses that are both."""

import pytest

from retryscope_service.http.accept import prefers_page

CHROME = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,"
    "application/signed-exchange;v=b3;q=0.7"
)
FIREFOX = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


@pytest.mark.parametrize(
    "accept",
    [
        CHROME,
        FIREFOX,
        "text/html",
        "TEXT/HTML ; Q=1.0",
        "text/html, */*",
        "application/xhtml+xml",
        "application/json;q=0.9, text/html",
        "text/html;q=0.5, text/plain;q=0.4, */*;q=0.1",
    ],
)
def test_who_navigates_prefers_the_page(accept: str) -> None:
    """HTML by name, and nothing of the API as much."""
    assert prefers_page(accept)


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "text/*",
        "application/*",
        "application/json",
        "application/json, text/plain, */*",
        "text/html, application/json",
        "text/html;q=0.9, */*",
        "text/html;q=0.9, text/*",
        "text/html;q=0",
        "text/html;q=0, */*;q=0",
        "text/html;q=nan",
        "text/html;q=2",
        "text/html;q=-1",
        "text/html;q=high",
        "text/event-stream",
        "image/avif,image/webp,*/*;q=0.8",
        ",;=,",
        "x" * 5000,
        PROMETHEUS,
        "application/openmetrics-text;version=1.0.0;q=0.6,text/html;q=0.55,text/plain;version=0.0.4;q=0.3",
        "text/html;q=0.55,text/plain;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3",
    ],
)
def test_everybody_else_gets_what_the_api_says(accept: str) -> None:
    """Also who would take the page as well."""
    assert not prefers_page(accept)
