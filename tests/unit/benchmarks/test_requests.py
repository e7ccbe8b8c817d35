"""P2, P3, P10: every server answers every request, and every span of those that record has arrived."""

import random
from collections.abc import Callable

import pytest

from benchmarks import request_tail, retrying_requests, trivial_requests
from benchmarks.http_server import SERVERS
from benchmarks.peers import are_installed
from benchmarks.receiver import Receiver
from benchmarks.requests_compared import Size
from benchmarks.result import Result

TINY = Size(requests=20, connections=2)
FINDINGS = {
    "P2": (trivial_requests.measure, {"P2/bare", "P2/contrib"}),
    "P3": (request_tail.measure, {"P3"}),
    "P10": (retrying_requests.measure, {"P10/success", "P10/failure", "P10/tenacity"}),
}


@pytest.mark.parametrize("number", FINDINGS)
def test_each_server_does_every_request_and_loses_no_span(number: str, receiver: Receiver) -> None:
    """What is not answered with 200, or does not arrive, fails inside."""
    measure: Callable[..., Result]
    measure, keys = FINDINGS[number]
    result = measure(receiver, rounds=1, rng=random.Random(1), size=TINY)
    if not are_installed():
        keys = keys - {"P2/contrib"}
        assert set(result.absent) == {"contrib"}
    assert set(result.findings) == keys
    (samples,) = result.rounds.samples
    assert set(samples) == set(result.variants) >= {"bare", "sdk path", "fast path"}


@pytest.mark.parametrize(
    ("server", "spans"),
    [("bare", [0, 0, 0]), ("contrib", [1, 1, 1]), ("fast+tenacity", [1, 1, 1]), ("fast path", [1, 3, 5])],
)
def test_a_request_has_the_spans_of_what_observes_it(server: str, spans: list[int]) -> None:
    """Of the request itself, and of the retry in it where that is ours."""
    assert [SERVERS[server].spans(route) for route in ("trivial", "success", "failure")] == spans
