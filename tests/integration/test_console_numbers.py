"""The numbers of the console of a running service, with the traffic that its own switch makes."""

from typing import Any

from tests.integration.conftest import StartService
from tests.support.polling import wait_until
from tests.support.process import Service

TOKEN = "of-these-tests-0123456789"  # noqa: S105


def traffic(service: Service, method: str, **body: object) -> Any:
    answer = service.call(method, "/console/traffic", body or None).answer()
    assert answer.status == 200, answer
    return answer.body


class TestTraffic:
    def test_makes_runs_like_any_other(self, start_service: StartService) -> None:
        service = start_service(RETRYSCOPE_API_TOKEN=TOKEN)
        token = {"Authorization": f"Bearer {TOKEN}"}
        assert service.get("/console/traffic").status == 401
        body = {"scenario": "failures", "rate": 20, "duration_seconds": 600}
        assert service.call("PUT", "/console/traffic", body, token).answer().status == 200

        def snapshot() -> Any:
            return service.get("/console/snapshot", token).body

        wait_until(lambda: snapshot()["traffic"]["failed"] > 5, "requests were answered")
        found = snapshot()
        assert found["traffic"]["on"]
        assert {run["workflow"] for run in found["runs"]} == {"retry"}
        assert service.call("DELETE", "/console/traffic", headers=token).answer().body["on"] is False

    def test_ends_with_the_service(self, start_service: StartService) -> None:
        """Without an error in its log, and without waiting for more than the runs in flight."""
        service = start_service()
        traffic(service, "PUT", scenario="mixed", rate=50, duration_seconds=600)
        wait_until(lambda: traffic(service, "GET")["succeeded"] > 20, "requests were answered")
        service.stop()

    def test_fires_the_alert_on_the_page(self, start_service: StartService) -> None:
        """Pending at least: until it fires it takes minutes."""
        service = start_service()
        traffic(service, "PUT", scenario="failures", rate=50, duration_seconds=600)

        def active() -> set[str]:
            rules = service.get("/console/alerts").body["rules"]
            return {rule["alert"] for rule in rules if rule["state"] == "pending"}

        wait_until(lambda: "FailureBudgetBurn" in active(), "the failures are noticed")
