"""The part of the OpenAPI document that is about alerts."""

from typing import Any

from instrumentation import semconv
from service.alerts.notification import Notification
from service.alerts.store import RememberedAlert
from service.api.alerts import STATUSES
from service.api.form import FORM_PARAMETER
from service.api.openapi_parts import get, problems, ref
from service.api.paging import LIMIT_PARAMETER
from service.api.query import choices_parameter


def alert_paths() -> dict[str, Any]:
    """The paths of alerts."""
    listing = {
        "type": "object",
        "required": ["alerts"],
        "properties": {"alerts": {"type": "array", "items": ref(RememberedAlert.__name__)}},
    }
    return {
        "/alerts": {
            "get": get(
                "listAlerts",
                "Alerts that Alertmanager has delivered, the one last heard of first, as JSON or as text.",
                [choices_parameter("status", STATUSES), LIMIT_PARAMETER, FORM_PARAMETER],
                (401, 422),
                ("application/json", "text/plain"),
                listing,
            ),
            "post": _receive(),
        }
    }


def _receive() -> dict[str, Any]:
    return {
        "operationId": "receiveAlerts",
        "summary": "Alertmanager's webhook, version 4.",
        "requestBody": {
            "required": True,
            "description": "What Alertmanager sends; members that are not named here are not read. A wrong"
            " alert does not cost the others of its group: one that is too long is cut, one that can't be"
            f" read is left out, and {semconv.ALERTS_IMPAIRED.name}_total counts both; 422: none could be.",
            "content": {
                "application/json": {"schema": ref(Notification.__name__), "example": _EXAMPLE},
            },
        },
        "responses": {
            "204": {"description": "The alerts are remembered, as far as they can be read."},
            **problems(400, 401, 408, 413, 415, 422),
        },
    }


_EXAMPLE: dict[str, Any] = {
    "version": "4",
    "status": "firing",
    "receiver": "retryscope",
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "RetryStorm", "severity": "warning", "workflow": "retry"},
            "annotations": {"summary": "Each operation takes more than two attempts."},
            "startsAt": "2026-01-01T12:00:00Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://127.0.0.1:9090/graph",
            "fingerprint": "c5b4b1b5f3a0a3d1",
        }
    ],
    "truncatedAlerts": 0,
}
