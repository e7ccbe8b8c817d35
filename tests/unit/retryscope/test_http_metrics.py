"""What others choose, their addresses and answers, makes a bounded number of series."""

import logging

import pytest

from retryscope._recording.telemetry import active
from retryscope.http_metrics import MAX_CLIENT_ERRORS, MAX_SERVERS
from tests.support.recorded import Recorded
from tests.unit.retryscope.helpers import value_of

COUNT = "http_client_request_duration_seconds_count"
FOLDED = "resilience_telemetry_folded_labels_total"


def sent(address: str = "shop", port: str = "80", status: str = "200", error: str = "") -> None:
    active().metrics.http.sent("GET", address, port, status, error).observe(0.1)


def test_one_server_too_many_is_counted_as_other(
    recorded: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    """Of both labels one; those that were known keep their own. It is logged once."""
    with caplog.at_level(logging.WARNING):
        for number in range(MAX_SERVERS + 3):
            sent(f"shop-{number}")
        sent("shop-0")
    assert value_of(recorded, COUNT, server_address="shop-0", server_port="80") == 2
    assert value_of(recorded, COUNT, server_address="_OTHER", server_port="") == 3
    assert value_of(recorded, FOLDED, label="server_address") == 3
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "server_address" in caplog.text


def test_ports_of_one_host_are_servers_of_their_own(recorded: Recorded) -> None:
    """Each may be asked for, also by whoever looks for open ones."""
    for port in range(MAX_SERVERS + 5):
        sent(port=str(port))
    assert value_of(recorded, COUNT, server_address="shop") == MAX_SERVERS
    assert value_of(recorded, COUNT, server_address="_OTHER") == 5


@pytest.mark.parametrize("status", ["299", "599", "999"])
def test_a_status_that_is_none_is_counted_as_other(recorded: Recorded, status: str) -> None:
    """A server may answer with any three digits."""
    error = status if status >= "400" else ""
    sent(status=status, error=error)
    labels = {"http_response_status_code": "_OTHER", "error_type": "_OTHER" if error else ""}
    assert value_of(recorded, COUNT, **labels) == 1
    assert value_of(recorded, FOLDED, label="http_response_status_code") == 1


def test_one_class_of_errors_too_many_is_counted_as_other(recorded: Recorded) -> None:
    """Statuses are not among them."""
    sent(status="503", error="503")
    for number in range(MAX_CLIENT_ERRORS + 2):
        sent(status="", error=f"Error{number}")
    assert value_of(recorded, COUNT, error_type="503") == 1
    assert value_of(recorded, COUNT, error_type="Error0") == 1
    assert value_of(recorded, COUNT, error_type="_OTHER") == 2
    assert value_of(recorded, FOLDED, label="error_type") == 2


def test_requests_to_this_server_are_counted_under_its_own_labels(recorded: Recorded) -> None:
    labels = ("GET", "/items/{id}", "200", "http", "")
    active().metrics.http.answered(labels).observe(0.2)
    assert active().metrics.http.answered(labels) is active().metrics.http.answered(labels)
    assert value_of(recorded, "http_server_request_duration_seconds_sum", http_route="/items/{id}") == 0.2
