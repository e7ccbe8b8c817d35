"""What requests share is built once, and is what each of them would have had alone."""

from itertools import count

from aiohttp.test_utils import make_mocked_request
from aiohttp.web import Request
from hypothesis import given
from hypothesis import strategies as st

from retryscope import semconv
from retryscope.adapters.server_attributes import KnownAttributes

ROUTE = "/runs/{id}"


def request(path: str = "/runs/7", *, host: str = "shop", agent: str | None = "curl/8") -> Request:
    headers = {"Host": host} | ({} if agent is None else {"User-Agent": agent})
    return make_mocked_request("GET", path, headers=headers)


def test_the_attributes_of_a_request() -> None:
    assert dict(KnownAttributes().attributes_of(request(host="shop:8080"), "GET", ROUTE)) == {
        "http.request.method": "GET",
        "http.route": "/runs/{id}",
        "network.protocol.version": "1.1",
        "server.address": "shop",
        "server.port": 8080,
        "url.path": "/runs/7",
        "url.scheme": "http",
        "user_agent.original": "curl/8",
    }


def test_requests_for_a_path_that_is_its_template_have_the_same_object() -> None:
    known = KnownAttributes()
    first, second = (known.attributes_of(request("/health"), "GET", "/health") for _ in range(2))
    assert first is second


def test_a_client_s_paths_are_all_that_differs() -> None:
    known = KnownAttributes()
    first, second = (known.attributes_of(request(path), "GET", ROUTE) for path in ("/runs/7", "/runs/8"))
    assert dict(first) | {semconv.URL_PATH: "/runs/8"} == dict(second)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["/", "/health", "/runs/7", "/runs/{id}", "/caf%C3%A9"]),
            st.sampled_from(["", "shop", "shop:80", "[::1]:80", ":::", "h" * 600]),
            st.sampled_from([None, "", "curl/8", "café", "a" * 600]),
            st.sampled_from(["", "/health", "/runs/{id}"]),
            st.sampled_from(["GET", "POST", semconv.OTHER]),
        )
    )
)
def test_what_came_before_changes_nothing(
    requests: list[tuple[str, str, str | None, str, str]],
) -> None:
    known = KnownAttributes()
    for path, host, agent, route, method in requests:
        asked = request(path, host=host, agent=agent)
        found = known.attributes_of(asked, method, route)
        alone = KnownAttributes().attributes_of(asked, method, route)
        assert dict(found) == dict(alone)
        assert found.encoded == alone.encoded


def test_clients_that_all_differ_are_forgotten() -> None:
    """Whoever varies the texts that a client chooses fills no memory."""
    known = KnownAttributes()
    agents = (f"curl/{number}" for number in count())
    for _ in range(3_000):
        known.attributes_of(request(agent=next(agents)), "GET", ROUTE)
    assert len(known._requests) <= 1_024


def test_of_a_client_with_long_texts_nothing_is_remembered() -> None:
    known = KnownAttributes()
    known.attributes_of(request(agent="a" * 513), "GET", ROUTE)
    known.attributes_of(request(host="h" * 513), "GET", ROUTE)
    assert known._requests == {}


def test_a_status_is_known_once() -> None:
    known = KnownAttributes()
    assert known.status(404) == {"http.response.status_code": 404}
    assert known.status(404) is known.status(404)
