"""What the spans of a retry say, built once."""

from retryscope._core.retry_spans import RetrySpans
from tests.unit.retryscope.helpers import PRICE, STOCK


def test_what_is_the_same_in_every_call_is_built_once() -> None:
    """Per operation, number and source: it is encoded once, too."""
    spans = RetrySpans(PRICE, max_attempts=3)
    assert spans.attributes(PRICE) is spans.attributes(PRICE)
    assert spans.attributes_of_attempt(PRICE, 2) is spans.attributes_of_attempt(PRICE, 2)
    assert spans.attributes_of_wait(PRICE, "policy") is spans.attributes_of_wait(PRICE, "policy")
    assert spans.attributes_of_next(2, "policy") is spans.attributes_of_next(2, "policy")


def test_what_differs_is_kept_apart() -> None:
    """Also under the name of another workflow."""
    spans = RetrySpans(PRICE)
    assert spans.attributes_of_attempt(PRICE, 1) != spans.attributes_of_attempt(PRICE, 2)
    assert spans.attributes_of_wait(PRICE, "policy") != spans.attributes_of_wait(STOCK, "policy")
    assert spans.attributes_of_next(2, "policy") != spans.attributes_of_next(2, "retry_after")


def test_attempts_of_a_retry_without_end_are_not_all_kept() -> None:
    """Past a number they are built each time."""
    spans = RetrySpans(PRICE)
    assert spans.attributes_of_attempt(PRICE, 99) is not spans.attributes_of_attempt(PRICE, 99)
    assert spans.attributes_of_next(99, "policy") is not spans.attributes_of_next(99, "policy")
    assert spans.attributes_of_next(32, "policy") is spans.attributes_of_next(32, "policy")
    assert spans.attributes_of_next(33, "policy") is not spans.attributes_of_next(33, "policy")
