"""The shipped configuration on this machine: other addresses and credentials, nothing else."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from retryscope_service.resources import resource
from retryscope_service.stack.configuration import (
    Document,
    Surroundings,
    alertmanager_configuration,
    prometheus_configuration,
    shortest_window,
)


def read(name: str) -> Document:
    document: Document = yaml.safe_load(resource(name).read_text())
    return document


PROMETHEUS = read("deploy/prometheus/prometheus.yml")
ALERTMANAGER = read("deploy/alertmanager/alertmanager.yml")
TOKEN_FILE = Path("token")


def here(
    url: str = "http://127.0.0.1:8081", *, token: Path | None = None, scale: float = 1.0
) -> Surroundings:
    return Surroundings(url, "127.0.0.1:1", "127.0.0.1:2", token, scale)


def jobs(document: Document) -> dict[str, Document]:
    return {job["job_name"]: job for job in document["scrape_configs"]}


def adapted(where: Surroundings, document: Document = PROMETHEUS) -> Document:
    return prometheus_configuration(document, "rules.yml", where)


def webhooks(document: Document) -> list[Document]:
    return [each for receiver in document["receivers"] for each in receiver.get("webhook_configs", ())]


class TestPrometheus:
    def test_scrapes_what_runs_here(self) -> None:
        """The service, and both programs themselves; no collector, no Tempo, no workers."""
        found = {name: job["static_configs"] for name, job in jobs(adapted(here())).items()}
        assert found == {
            "retryscope": [{"targets": ["127.0.0.1:8081"]}],
            "prometheus": [{"targets": ["127.0.0.1:1"]}],
            "alertmanager": [{"targets": ["127.0.0.1:2"]}],
        }
        assert "dns_sd_configs" not in yaml.safe_dump(adapted(here()))

    def test_delivers_to_the_alertmanager_here(self) -> None:
        assert adapted(here())["alerting"] == {
            "alertmanagers": [{"api_version": "v2", "static_configs": [{"targets": ["127.0.0.1:2"]}]}]
        }

    def test_reads_the_rules_it_is_told(self) -> None:
        assert adapted(here())["rule_files"] == ["rules.yml"]

    def test_keeps_everything_else_as_shipped(self) -> None:
        """At the real scale: what differs is what this class lists."""
        document = adapted(here(token=TOKEN_FILE))
        ours, shipped_job = jobs(document)["retryscope"], jobs(PROMETHEUS)["retryscope"]
        for name in ("rule_files", "alerting", "scrape_configs"):
            document.pop(name)
        assert document == {name: PROMETHEUS[name] for name in ("global", "storage")}
        assert ours["sample_limit"] == shipped_job["sample_limit"]

    def test_sends_the_token_of_this_service_and_only_to_it(self) -> None:
        document = jobs(adapted(here(token=TOKEN_FILE)))
        assert document.pop("retryscope")["authorization"] == {"credentials_file": "token"}
        assert "credentials_file" not in yaml.safe_dump(document)

    def test_sends_no_token_where_there_is_none(self) -> None:
        """The file in the container is not there; Prometheus would not scrape at all."""
        assert "authorization" not in yaml.safe_dump(adapted(here()))

    @pytest.mark.parametrize(
        ("url", "scheme", "target", "path"),
        [
            ("http://127.0.0.1:8081", "http", "127.0.0.1:8081", "/metrics"),
            ("https://127.0.0.1:8081/behind/a/proxy", "https", "127.0.0.1:8081", "/behind/a/proxy/metrics"),
        ],
    )
    def test_scrapes_the_service_where_it_is(self, url: str, scheme: str, target: str, path: str) -> None:
        job = jobs(adapted(here(url)))["retryscope"]
        assert (job["scheme"], job["metrics_path"]) == (scheme, path)
        assert job["static_configs"] == [{"targets": [target]}]

    def test_a_job_of_which_nothing_runs_here_is_left_out(self) -> None:
        document = copy.deepcopy(PROMETHEUS)
        document["scrape_configs"].append(
            {"job_name": "other", "static_configs": [{"targets": ["elsewhere:1", "prometheus:9090"]}]}
        )
        document["scrape_configs"].append({"job_name": "found", "dns_sd_configs": [{"names": ["x"]}]})
        found = jobs(adapted(here(), document))
        assert found["other"]["static_configs"] == [{"targets": ["127.0.0.1:1"]}]
        assert "found" not in found

    @pytest.mark.parametrize(
        ("scale", "interval", "shortest"),
        [(1, "5s", 0.0), (0.5, "2s500ms", 10.0), (0.1, "500ms", 2.0), (0.0001, "500ms", 2.0)],
    )
    def test_scrapes_more_often_on_a_faster_clock_within_reason(
        self, scale: float, interval: str, shortest: float
    ) -> None:
        """And no window or hold of a rule is shorter than four scrapes."""
        document = adapted(here(scale=scale))
        assert document["global"]["scrape_interval"] == interval
        assert shortest_window(PROMETHEUS, scale) == shortest

    def test_evaluates_more_often_on_a_faster_clock(self) -> None:
        assert adapted(here(scale=0.1))["global"]["evaluation_interval"] == "1s500ms"

    def test_a_scrape_may_take_as_long_as_the_interval(self) -> None:
        """A shorter timeout than that of the shipped file would call a busy service dead."""
        assert adapted(here(scale=0.1))["global"]["scrape_timeout"] == "500ms"

    def test_the_interval_of_a_job_is_scaled_too(self) -> None:
        document = copy.deepcopy(PROMETHEUS)
        jobs(document)["retryscope"]["scrape_interval"] = "1m"
        assert jobs(adapted(here(scale=0.1), document))["retryscope"]["scrape_interval"] == "6s"
        assert shortest_window(document, 0.1) == 24.0

    def test_without_an_interval_it_is_prometheus_own(self) -> None:
        assert shortest_window({"scrape_configs": [{}]}, 0.1) == 240.0


class TestAlertmanager:
    def test_posts_to_the_service_here(self) -> None:
        found = webhooks(alertmanager_configuration(ALERTMANAGER, here("http://127.0.0.1:8081/prefix")))
        assert len(found) == len(webhooks(ALERTMANAGER)) > 0
        assert {each["url"] for each in found} == {"http://127.0.0.1:8081/prefix/alerts"}

    def test_with_the_token_of_the_service_here(self) -> None:
        for each in webhooks(alertmanager_configuration(ALERTMANAGER, here(token=TOKEN_FILE))):
            assert each["http_config"]["authorization"] == {"credentials_file": "token"}

    def test_without_a_token_where_there_is_none(self) -> None:
        assert "authorization" not in yaml.safe_dump(alertmanager_configuration(ALERTMANAGER, here()))

    def test_other_receivers_are_left_alone(self) -> None:
        """Somebody has added a way to be called at night."""
        document = copy.deepcopy(ALERTMANAGER)
        pager: dict[str, Any] = {"name": "pager", "pagerduty_configs": [{"routing_key_file": "key"}]}
        other = {"name": "other", "webhook_configs": [{"url": "http://elsewhere:1/hook"}]}
        document["receivers"] += [pager, other]
        assert alertmanager_configuration(document, here(token=TOKEN_FILE))["receivers"][-2:] == [
            pager,
            other,
        ]

    def test_keeps_everything_else_as_shipped(self) -> None:
        document = alertmanager_configuration(ALERTMANAGER, here(token=TOKEN_FILE))
        assert {**document, "receivers": None} == {**ALERTMANAGER, "receivers": None}

    def test_waits_shorter_on_a_faster_clock_within_reason(self) -> None:
        """In every route; repeated every minute at most."""
        route = {
            "group_wait": "10s",
            "group_interval": "1m",
            "repeat_interval": "12h",
            "routes": [{"receiver": "page", "group_interval": "5m", "routes": [{"group_wait": "0s"}]}],
        }
        document = alertmanager_configuration({"route": route, "receivers": []}, here(scale=0.01))
        assert document["route"] == {
            "group_wait": "100ms",
            "group_interval": "1s",
            "repeat_interval": "7m12s",
            "routes": [{"receiver": "page", "group_interval": "3s", "routes": [{"group_wait": "0s"}]}],
        }


def test_what_is_shipped_is_not_changed() -> None:
    """It is read again for the next stack."""
    prometheus, alertmanager = copy.deepcopy(PROMETHEUS), copy.deepcopy(ALERTMANAGER)
    adapted(here(token=TOKEN_FILE, scale=0.1))
    alertmanager_configuration(ALERTMANAGER, here(token=TOKEN_FILE, scale=0.1))
    assert (prometheus, alertmanager) == (PROMETHEUS, ALERTMANAGER)
