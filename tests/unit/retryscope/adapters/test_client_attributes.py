"""What a client's requests share is built once; what lets a reader in is in no URL."""

from urllib.parse import quote, unquote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from retryscope.adapters.client_attributes import KnownAttributes, safe
from retryscope.printable import MAX_MESSAGE

PRICE = URL("https://shop.example/price")
SECRET = ("AWSAccessKeyId", "Signature", "sig", "X-Goog-Signature", "X-Amz-Signature", "X-Amz-Credential")
KEYS = st.sampled_from((*SECRET, "SIG", "s%69g", "colour", "signed", "q"))


def test_the_attributes_of_a_request() -> None:
    assert dict(KnownAttributes().attributes_of("GET", PRICE, 0)) == {
        "http.request.method": "GET",
        "server.address": "shop.example",
        "server.port": 443,
        "url.full": "https://shop.example/price",
    }


@pytest.mark.parametrize(("attempt", "count"), [(0, None), (1, None), (2, 1), (5, 4)])
def test_a_request_says_how_often_it_was_sent_before(attempt: int, count: int | None) -> None:
    said = KnownAttributes().attributes_of("GET", PRICE, attempt)
    assert said.get("http.request.resend_count") == count


def test_an_unknown_method_is_other_and_keeps_its_name() -> None:
    said = KnownAttributes().attributes_of("BREW", PRICE, 2)
    assert said["http.request.method"] == "_OTHER"
    assert said["http.request.method_original"] == "BREW"
    assert said["http.request.resend_count"] == 1


def test_a_url_without_host_and_port_has_neither() -> None:
    """As a middleware of somebody's may leave one."""
    assert dict(KnownAttributes().attributes_of("GET", URL("/price"), 0)) == {
        "http.request.method": "GET",
        "url.full": "/price",
    }


def test_answers_alike_have_the_same_object() -> None:
    known = KnownAttributes()
    assert known.answer(200, "1.1") is known.answer(200, "1.1")
    assert dict(known.answer(200, "1.1")) == {
        "http.response.status_code": 200,
        "network.protocol.version": "1.1",
    }
    assert dict(known.answer(404, "")) == {"http.response.status_code": 404, "error.type": "404"}


def test_servers_without_bound_are_not_all_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retryscope.adapters.client_attributes._MOST", 2)
    known = KnownAttributes()
    for number in range(5):
        said = known.attributes_of("GET", URL(f"http://shop-{number}/"), 0)
        assert said["server.address"] == f"shop-{number}"
        assert len(known._requests) <= 2


@pytest.mark.parametrize("user", ["ada", "ada:secret", ":secret", "a%40b:s%3Fc"])
def test_user_and_password_are_left_out(user: str) -> None:
    assert safe(URL(f"https://{user}@shop.example/a?b=c")) == "https://shop.example/a?b=c"


@pytest.mark.parametrize("text", ["https://shop/?sig", "https://shop/a%3Fsig=1", "https://shop/#a?sig=1"])
def test_what_is_no_pair_of_a_query_stays_as_it_is(text: str) -> None:
    """A key alone has no value; a fragment is no query."""
    assert safe(URL(text, encoded=True)).startswith(text.partition("#")[0])


@given(st.lists(st.tuples(KEYS, st.text(min_size=8, max_size=12)), max_size=6))
def test_no_value_of_a_signature_is_shown_and_all_else_is(pairs: list[tuple[str, str]]) -> None:
    """In their order, with their keys as they were written."""
    query = "&".join(f"{key}={quote(value, safe='')}" for key, value in pairs)
    shown = safe(URL(f"https://shop.example/a?{query}", encoded=True)).partition("?")[2]
    expected = [
        f"{key}=REDACTED"
        if unquote_plus(key).lower() in map(str.lower, SECRET)
        else f"{key}={quote(value, safe='')}"
        for key, value in pairs
    ]
    assert shown == "&".join(expected)


def test_a_url_without_end_is_cut() -> None:
    assert len(safe(URL("https://shop.example/" + "a" * 20_000))) == MAX_MESSAGE
