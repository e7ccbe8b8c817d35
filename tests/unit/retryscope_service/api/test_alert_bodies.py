"""How long a delivery of alerts may be, on a real loop: time that is virtual does not wait for a megabyte."""

import json
from io import BytesIO

from retryscope_service.api.alerts import MAX_BODY_BYTES
from tests.unit.retryscope_service.api.test_alerts import alert, notification
from tests.unit.retryscope_service.helpers import Api

REAL_LOOP = True


def padded(size: int) -> BytesIO:
    """A notification of so many bytes."""
    return BytesIO(json.dumps(notification(alert())).encode().ljust(size))


async def test_the_body_has_a_bound_of_its_own(api: Api) -> None:
    """Larger than that of parameters, which stays as it is; the answer says what to do."""
    assert (await api.call("POST", "/alerts", content=padded(MAX_BODY_BYTES))).status == 204
    answer = await api.call("POST", "/alerts", content=padded(MAX_BODY_BYTES + 1))
    assert (answer.status, answer.json()["bound"]) == (413, MAX_BODY_BYTES)
    assert "max_alerts" in answer.json()["detail"]
    answer = await api.call("POST", "/workflows/retry", content=b"{}" + b" " * 65_536)
    assert (answer.status, answer.json()["bound"]) == (413, 65_536)
