"""The shipped configuration, with this machine's addresses and credentials in place of the containers'."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from retryscope_service.slo.duration import Duration

SERVICE: Final = "retryscope:8080"
PROMETHEUS: Final = ("prometheus:9090", "localhost:9090", "127.0.0.1:9090")
ALERTMANAGER: Final = "alertmanager:9093"
"""What the shipped files call the containers."""

SHORTEST_SCRAPE: Final = 0.5
"""Seconds; below it the scrapes themselves become the load."""
SCRAPES_PER_WINDOW: Final = 4.0
"""Fewest scrapes in a window or a `for` of a rule: `rate()` needs two, and one may be late or fail."""
FLOORS: Final = {"group_wait": 0.0, "group_interval": 1.0, "repeat_interval": 60.0}
"""Shortest of Alertmanager's waits, in seconds, however small the scale."""

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the configuration is adapted to.

    Attributes:
        service_url: Base URL of the service.
        prometheus: Address of Prometheus.
        alertmanager: Address of Alertmanager.
        token_file: File with the service's API token; None: it has none.
        scale: Factor on intervals and waits.
    """

    service_url: str
    prometheus: str
    alertmanager: str
    token_file: Path | None
    scale: float

    def target(self, address: str) -> str | None:
        """What runs here in place of a container; None: nothing does."""
        if address == SERVICE:
            return urlsplit(self.service_url).netloc
        if address == ALERTMANAGER:
            return self.alertmanager
        return self.prometheus if address in PROMETHEUS else None


def prometheus_configuration(shipped: Document, rule_files: str, here: Surroundings) -> Document:
    """Prometheus's configuration: jobs of which nothing runs here are left out."""
    document = {
        **shipped,
        "rule_files": [rule_files],
        "global": _faster(shipped.get("global", {}), here.scale),
    }
    jobs = (_job(job, here) for job in shipped["scrape_configs"])
    document["scrape_configs"] = [job for job in jobs if job is not None]
    document["alerting"] = {
        **shipped["alerting"],
        "alertmanagers": [
            {**each, "static_configs": _targets(each, here)} for each in shipped["alerting"]["alertmanagers"]
        ],
    }
    return document


def shortest_window(shipped: Document, scale: float) -> float:
    """Seconds: no window and no `for` of a compressed rule may be shorter, whichever job it is about."""
    if scale == 1:
        return 0.0
    sections = (_faster(each, scale) for each in (shipped.get("global", {}), *shipped["scrape_configs"]))
    own = [Duration.parse(each["scrape_interval"]).seconds for each in sections if "scrape_interval" in each]
    return SCRAPES_PER_WINDOW * max(own, default=60.0)  # Prometheus's own default is a minute


def alertmanager_configuration(shipped: Document, here: Surroundings) -> Document:
    """Alertmanager's configuration: what it would post to the container goes to the service."""
    receivers = [
        {**receiver, "webhook_configs": [_webhook(each, here) for each in receiver["webhook_configs"]]}
        if "webhook_configs" in receiver
        else receiver
        for receiver in shipped["receivers"]
    ]
    return {**shipped, "route": _route(shipped["route"], here.scale), "receivers": receivers}


def _faster(section: Document, scale: float) -> Document:
    """The intervals of a section, scaled; a scrape may take as long as the interval."""
    if scale == 1:
        return section
    scaled = dict(section)
    for name in ("scrape_interval", "evaluation_interval"):
        if name in section:
            seconds = Duration.parse(section[name]).seconds
            scaled[name] = str(Duration.of(min(seconds, max(seconds * scale, SHORTEST_SCRAPE))))
    if "scrape_timeout" in section and "scrape_interval" in scaled:
        scaled["scrape_timeout"] = scaled["scrape_interval"]
    return scaled


def _job(job: Document, here: Surroundings) -> Document | None:
    targets = _targets(job, here)
    if not targets:
        return None
    adapted = _faster(
        {name: value for name, value in job.items() if not name.endswith("_sd_configs")}, here.scale
    )
    adapted["static_configs"] = targets
    if any(SERVICE in each["targets"] for each in job.get("static_configs", ())):
        service = urlsplit(here.service_url)
        adapted["scheme"] = service.scheme
        adapted["metrics_path"] = service.path + job.get("metrics_path", "/metrics")
        adapted = _authorized(adapted, here)
    return adapted


def _targets(section: Document, here: Surroundings) -> list[Document]:
    """The static targets of which something runs here."""

    def found() -> Iterator[Document]:
        for each in section.get("static_configs", ()):
            targets = [here.target(address) for address in each["targets"]]
            kept = [target for target in targets if target is not None]
            if kept:
                yield {**each, "targets": kept}

    return list(found())


def _webhook(webhook: Document, here: Surroundings) -> Document:
    url = urlsplit(webhook.get("url", ""))
    if url.netloc != SERVICE:
        return webhook
    service = urlsplit(here.service_url)
    address = urlunsplit((service.scheme, service.netloc, service.path + url.path, url.query, ""))
    return {**webhook, "url": address, "http_config": _authorized(webhook.get("http_config", {}), here)}


def _authorized(section: Mapping[str, Any], here: Surroundings) -> Document:
    """A client's section with the API token of this service, or without any where it has none."""
    rest = {name: value for name, value in section.items() if name != "authorization"}
    if here.token_file is None:
        return rest
    return {**rest, "authorization": {"credentials_file": str(here.token_file)}}


def _route(route: Document, scale: float) -> Document:
    scaled = dict(route)
    if scale != 1:
        for name, floor in FLOORS.items():
            if name in route:
                seconds = Duration.parse(route[name]).seconds
                scaled[name] = str(Duration.of(min(seconds, max(seconds * scale, floor))))
    if "routes" in route:
        scaled["routes"] = [_route(each, scale) for each in route["routes"]]
    return scaled
