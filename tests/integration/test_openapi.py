"""The OpenAPI document and the running service, held against each other by schemathesis."""

import copy
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from pydantic import ValidationError
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from retryscope_service.api.openapi import openapi_document
from retryscope_service.notifications.notification import Group, read_alert
from retryscope_service.operations.operations import REAL
from tests.integration.conftest import running_service
from tests.support.polling import LIMIT
from tests.support.process import Service

Case = schemathesis.Case[Any]
EXAMPLES = 12
"""Of each operation."""


def strict_document() -> dict[str, Any]:
    """The document without the answer `default`, which would document every status."""
    document = copy.deepcopy(openapi_document(version("retryscope")))
    for methods in document["paths"].values():
        for operation in methods.values():
            operation["responses"].pop("default", None)
    return document


REFUSALS = [400, 404, 413, 415, 422]
"""Right answers to wrong data."""
schema = schemathesis.openapi.from_dict(
    strict_document(),
    config=SchemathesisConfig.from_dict(
        {
            "checks": {"negative_data_rejection": {"expected-statuses": REFUSALS}},
            "phases": {"coverage": {"enabled": False}},  # 3,000 requests more
        }
    ),
)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One for all operations."""
    with running_service(tmp_path_factory.mktemp("service")) as service:
        yield service
        assert [line for line in service.logs if "exception.stacktrace" in line] == []


def is_right(case: Case) -> bool:
    """Whether it is right data: what it runs is made quick then. Wrong data must be refused as it is."""
    return case.meta is not None and case.meta.generation.mode.is_positive


def is_wrong_in_some_alerts_only(body: object) -> bool:
    """Whether the rest of a notification can be read: one wrong alert does not cost the others."""
    try:
        alerts = Group.model_validate(body).alerts
    except ValidationError:
        return False
    return any(read_alert(each) is not None for each in alerts)


@schema.exclude(path="/console/stream").parametrize()
@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_documented(case: Case, service: Service) -> None:
    """Status, content type, headers and schema, for right requests and wrong ones."""
    if case.path.startswith("/workflows/") and isinstance(case.body, dict) and is_right(case):
        case.body = {**case.body, "time_scale": 0.0001}
        case.body.update({name: 3 for name in ("tasks", "max_retries") if name in case.body})
        # A section of a kind that performs nothing is refused, which no schema says: tests of their own do.
        case.body = {name: value for name, value in case.body.items() if name not in REAL}
        # No query is cut off after a fraction of a microsecond.
        limits = {"attempt_timeout": 3600, "deadline": 3600, "compensation": 3600}
        if case.path.startswith("/workflows/checkout"):
            case.body.update(limits)
    response = case.call(base_url=f"http://127.0.0.1:{service.port}", timeout=LIMIT)
    # Documented on purpose: 502, 503 and 504 of workflows, and 422 where a key was used with another body.
    excluded: list[Any] = [not_a_server_error]
    if "urn:retryscope:problem:idempotency-conflict" in response.text:
        excluded.append(positive_data_acceptance)
    if case.path == "/alerts" and is_wrong_in_some_alerts_only(case.body):
        excluded.append(negative_data_rejection)
    case.validate_response(response, excluded_checks=excluded)
