"""Which alerts there are."""

from itertools import chain

from retryscope_service.slo.alerts.alert import Alert
from retryscope_service.slo.alerts.budget_burn import failure_budget_burn, operation_budget_burn
from retryscope_service.slo.alerts.concurrency_saturated import concurrency_saturated
from retryscope_service.slo.alerts.event_loop_lag_high import event_loop_lag_high
from retryscope_service.slo.alerts.retry_storm import retry_storm
from retryscope_service.slo.alerts.service_down import service_down
from retryscope_service.slo.alerts.shares import (
    cancellation_spike,
    operation_failure_ratio_high,
    timeout_ratio_high,
)
from retryscope_service.slo.alerts.stalled import stalled
from retryscope_service.slo.alerts.telemetry_dropped import telemetry_dropped
from retryscope_service.slo.definition import BurnRate, SloDefinition

_OTHERS = (
    stalled,
    service_down,
    operation_failure_ratio_high,
    timeout_ratio_high,
    retry_storm,
    concurrency_saturated,
    event_loop_lag_high,
    cancellation_spike,
    telemetry_dropped,
)


def alerts(definition: SloDefinition) -> list[Alert]:
    """The alerts of a definition, in the order of the runbook."""
    burns = [budget_burns(definition, burn) for burn in definition.burn_rates]
    by_kind = zip(*burns, strict=True)
    return [*chain.from_iterable(by_kind), *others(definition)]


def budget_burns(definition: SloDefinition, burn: BurnRate) -> list[Alert]:
    """Those about the objectives, in one pair of windows."""
    kinds = [failure_budget_burn]
    if definition.objective.operations:
        kinds.append(operation_budget_burn)
    return [kind(definition, burn) for kind in kinds]


def others(definition: SloDefinition) -> list[Alert]:
    """Those that are not about an objective."""
    return [make(definition) for make in _OTHERS]
