"""The OpenAPI document and the running service, held against each other by schemathesis."""

import copy
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig

from service.api.openapi import openapi_document
from tests.integration.conftest import running_service
from tests.support.polling import LIMIT
from tests.support.process import Service

EXAMPLES = 12
"""Of each operation; besides those that cover each of its parameters."""


def bounded() -> dict[str, Any]:
    """The document, with parameters whose runs take no time.

    The answer `default` is left out: it would document every status.
    """
    document = copy.deepcopy(openapi_document(version("retryscope")))
    for methods in document["paths"].values():
        for operation in methods.values():
            operation["responses"].pop("default", None)
            for content in operation.get("requestBody", {}).get("content", {}).values():
                if "time_scale" in content.get("example", {}):
                    content["example"]["time_scale"] = 0.001
    for schema in document["components"]["schemas"].values():
        properties = schema.get("properties", {})
        if "time_scale" in properties:
            schema["required"] = ["time_scale"]
            properties["time_scale"]["maximum"] = 0.001
            for each in properties.values():
                if each.get("maximum", 0) >= 1000:
                    each["maximum"] = 10
    return document


schema = schemathesis.openapi.from_dict(bounded(), config=SchemathesisConfig())


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One for all operations."""
    with running_service(tmp_path_factory.mktemp("service")) as service:
        yield service


@schema.exclude(path="/console/stream").parametrize()
@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_documented(case: schemathesis.Case, service: Service) -> None:
    """Status, content type, headers and schema, for right requests and wrong ones."""
    case.call_and_validate(
        base_url=f"http://127.0.0.1:{service.port}", excluded_checks=[not_a_server_error], timeout=LIMIT
    )
    assert service.messages("ERROR") == []
