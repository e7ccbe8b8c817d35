"""``/metrics``: which of the formats, what is in it."""

import pytest
from prometheus_client import Metric, parser
from prometheus_client.openmetrics import parser as openmetrics_parser

from retryscope import semconv
from tests.unit.retryscope_service.helpers import Answer, Api

PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
    "text/plain;version=1.0.0;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)
"""What a Prometheus 2 asks for."""


def parsed(answer: Answer) -> dict[str, Metric]:
    """The families, by the parser for the format that the answer says it has."""
    if answer.content_type == "application/openmetrics-text":
        families = openmetrics_parser.text_string_to_metric_families(answer.text)  # type: ignore[no-untyped-call]
    else:
        families = parser.text_string_to_metric_families(answer.text)
    return {family.name: family for family in families}


@pytest.mark.parametrize(
    "accept", ["", "*/*", "text/plain", "text/html,application/xml;q=0.9", ",;=,", "x" * 5000]
)
async def test_prometheus_text_for_who_does_not_ask_for_more(api: Api, accept: str) -> None:
    """curl and browsers get a text that they show."""
    answer = await api.get("/metrics", Accept=accept)
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert parsed(answer)


@pytest.mark.parametrize(
    "accept", [PROMETHEUS, "application/openmetrics-text", "application/openmetrics-text; version=1.0.0"]
)
async def test_openmetrics_for_who_asks_for_it(api: Api, accept: str) -> None:
    """Prometheus does."""
    answer = await api.get("/metrics", Accept=accept)
    assert answer.headers["Content-Type"].startswith(
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    )
    assert answer.text.endswith("# EOF\n")
    assert parsed(answer)


@pytest.mark.parametrize(
    "accept",
    [
        "application/openmetrics-text; version=one",
        "application/openmetrics-text; version=",
        "application/openmetrics-text; version=0.0.1",
        "application/openmetrics-text; version=99",
        "application/openmetrics-text; version=1.0.0; escaping=none",
        "application/openmetrics-text; version=1.0.0; escaping=allow-utf-8",
        "text/plain; version=one",
        "text/plain; version=1.0.0",
        "text/plain; version=1.0.0; escaping=none",
    ],
)
async def test_an_accept_header_that_makes_no_sense_is_answered_all_the_same(api: Api, accept: str) -> None:
    """With one format or the other, in the version that it says it is."""
    answer = await api.get("/metrics", Accept=accept)
    assert answer.status == 200
    assert parsed(answer)


async def test_exemplars_are_only_in_openmetrics(api: Api) -> None:
    """The older format has no place for them."""
    trace_id = (await api.run("cancellation", cleanup=9)).json()["trace_id"]
    plain = (await api.get("/metrics")).text
    openmetrics = (await api.get("/metrics", Accept=PROMETHEUS)).text
    assert "trace_id" not in plain
    (cleanup,) = [
        line
        for line in openmetrics.splitlines()
        if line.startswith("resilience_cleanup_duration_seconds_bucket") and " # {" in line
    ]
    assert f'trace_id="{trace_id}"' in cleanup


@pytest.mark.parametrize(
    ("workflow", "params", "failing"),
    [
        ("sequential", {"seed": 0}, 'outcome="error"'),
        ("timeouts", {}, 'outcome="timeout"'),
        ("retry", {"seed": 10}, 'outcome="exhausted"'),
        ("cancellation", {}, 'outcome="cancelled"'),
    ],
)
async def test_a_failing_path_leads_to_its_trace(
    api: Api, workflow: str, params: dict[str, int], failing: str
) -> None:
    """The trace that the exemplar names is the run's, and the span is in it."""
    answer = await api.run(workflow, **params)
    text = (await api.get("/metrics", Accept=PROMETHEUS)).text
    exemplars = [
        line.partition(" # ")[2]
        for line in text.splitlines()
        if line.startswith("resilience_operation_duration_seconds_bucket")
        and failing in line
        and " # " in line
    ]
    assert exemplars
    spans = {
        f"{span.context.span_id:016x}": span for span in api.recorded.spans() if span.context is not None
    }
    for exemplar in exemplars:
        assert f'trace_id="{answer.json()["trace_id"]}"' in exemplar
        span = spans[exemplar.partition('span_id="')[2][:16]]
        assert span.attributes is not None
        assert f'outcome="{span.attributes[semconv.OUTCOME]!s}"' == failing


async def test_every_series_of_every_operation_is_there_before_the_first_run(api: Api) -> None:
    """So that rate() sees the first increment; and nothing that is not in the table."""
    families = parsed(await api.get("/metrics", Accept=PROMETHEUS))
    assert {name for name in families if name.startswith("resilience_")} == {
        name for name in semconv.METRICS if name.startswith("resilience_")
    }
    durations = families["resilience_operation_duration_seconds"].samples
    assert {
        (sample.labels["workflow"], sample.labels["operation"])
        for sample in durations
        if sample.labels["workflow"] != "docs"
    } >= {
        ("sequential", "risky_task"),
        ("concurrent", "risky_task"),
        ("concurrent", "process_success"),
        ("cancellation", "long_running_task"),
        ("timeouts", "Database Query"),
        ("timeouts", "API Call"),
        ("timeouts", "File Processing"),
        ("timeouts", "_OTHER"),
        ("retry", "flaky_api_call"),
    }
    for family in families.values():
        assert not any(sample.name.endswith("_created") for sample in family.samples)


async def test_the_number_of_series_does_not_grow_with_what_clients_send(api: Api) -> None:
    """Neither names, nor paths, nor methods, nor headers become labels."""

    async def series() -> set[str]:
        lines = (await api.get("/metrics")).text.splitlines()
        return {line.rpartition(" ")[0] for line in lines if not line.startswith("#")}

    async def visit(number: int) -> None:
        await api.run("timeouts", operations=[{"name": f"operation {number}", "timeout": 1, "duration": 0}])
        await api.run(f"workflow-{number}")
        await api.get(f"/path-{number}", **{"User-Agent": f"agent-{number}", "Host": f"host-{number}"})
        await api.raw(f"METHOD{number} /workflows/retry HTTP/1.1", "Content-Length: 0")

    await visit(0)
    await series()
    before = await series()
    for number in range(1, 10):
        await visit(number)
    assert await series() == before
