"""What the Prometheus operator accepts: the API server drops or refuses what its definitions do not name.

Keys and required fields are those of the definitions in the operator's repository as of August 2026.
"""

from collections.abc import Iterator
from typing import Any

from tests.support.yaml_keys import leaves, unknown_keys

_SELECTOR = {"matchLabels": None, "matchExpressions": leaves("key", "operator", "values")}
_ENDPOINT = {
    **leaves(
        "basicAuth",
        "bearerTokenSecret",
        "enableHttp2",
        "filterRunning",
        "followRedirects",
        "honorLabels",
        "honorTimestamps",
        "interval",
        "metricRelabelings",
        "noProxy",
        "oauth2",
        "params",
        "path",
        "port",
        "proxyConnectHeader",
        "proxyFromEnvironment",
        "proxyUrl",
        "scheme",
        "scrapeTimeout",
        "targetPort",
        "tlsConfig",
        "trackTimestampsStaleness",
    ),
    "authorization": {"type": None, "credentials": leaves("name", "key", "optional")},
    "relabelings": leaves(
        "action", "modulus", "regex", "replacement", "separator", "sourceLabels", "targetLabel"
    ),
}
_MONITOR = {
    **leaves(
        "attachMetadata",
        "bodySizeLimit",
        "convertClassicHistogramsToNHCB",
        "fallbackScrapeProtocol",
        "jobLabel",
        "keepDroppedTargets",
        "labelLimit",
        "labelNameLengthLimit",
        "labelValueLengthLimit",
        "namespaceSelector",
        "nativeHistogramBucketLimit",
        "nativeHistogramMinBucketFactor",
        "podTargetLabels",
        "sampleLimit",
        "scrapeClass",
        "scrapeClassicHistograms",
        "scrapeNativeHistograms",
        "scrapeProtocols",
        "selectorMechanism",
        "targetLimit",
    ),
    "selector": _SELECTOR,
}
_RULE = {
    **leaves("alert", "record", "expr", "for", "keep_firing_for"),
    "labels": None,
    "annotations": None,
}
_GROUP = {
    **leaves("name", "interval", "limit", "partial_response_strategy", "query_offset", "labels"),
    "rules": _RULE,
}

CUSTOM: dict[str, dict[str, Any]] = {
    "ServiceMonitor": {
        **_MONITOR,
        **leaves("serviceDiscoveryRole", "targetLabels"),
        "endpoints": {**_ENDPOINT, **leaves("bearerTokenFile")},
    },
    "PodMonitor": {**_MONITOR, "podMetricsEndpoints": {**_ENDPOINT, **leaves("portNumber")}},
    "PrometheusRule": {"groups": _GROUP},
}
"""The allowed keys of `spec`, by kind."""

_REQUIRED = {
    "ServiceMonitor": {"selector", "endpoints"},
    "PodMonitor": {"selector", "podMetricsEndpoints"},
    "PrometheusRule": {"groups"},
}


def custom_findings(each: dict[str, Any]) -> Iterator[str]:
    """What the operator's definition of this kind does not accept."""
    if each["apiVersion"] != "monitoring.coreos.com/v1":
        yield f"{each['apiVersion']} is no version of the operator's kinds"
    for key in each.keys() - {"apiVersion", "kind", "metadata", "spec"}:
        yield f"{key}: no key of an object"
    for key in unknown_keys(each["spec"], CUSTOM[each["kind"]], "spec"):
        yield f"{key}: no key of a {each['kind']}"
    for key in _REQUIRED[each["kind"]]:
        if not each["spec"].get(key):
            yield f"spec.{key} is missing"
    for group in each["spec"].get("groups", []):
        for rule in group.get("rules", []):
            if "expr" not in rule or ("alert" in rule) == ("record" in rule):
                yield f"a rule of group {group.get('name')} needs expr, and either alert or record"
