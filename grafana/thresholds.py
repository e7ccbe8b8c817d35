"""Where alerts fire, from the SLO definition, to be drawn where their values are shown."""

from service.slo.definition import read_definition

_DEFINITION = read_definition()
_ALERTS = _DEFINITION.alerts

BUDGET = _DEFINITION.objective.budget
BURN_RATES = _DEFINITION.burn_rates
AMPLIFICATION = _ALERTS.retry_storm.threshold
TIMEOUT_RATIO = _ALERTS.timeout_ratio_high.threshold
CANCELLED_SHARE = _ALERTS.cancellation_spike.threshold
SATURATION = _ALERTS.concurrency_saturated.threshold
LAG_SECONDS = _ALERTS.event_loop_lag_high.threshold
