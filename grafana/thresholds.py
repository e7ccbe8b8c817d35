"""Where alerts fire, from the SLO definition, to be drawn where their values are shown."""

from service.slo.alerting import AlertRules
from service.slo.compression import Compression
from service.slo.definition import read_definition

_DEFINITION = read_definition()
_ALERTS = _DEFINITION.alerts
_RULES = AlertRules(_DEFINITION, Compression())

_ALL = (*map(_RULES.failure_budget_burn, _DEFINITION.burn_rates), *_RULES.all_but_burn_rates())

ALERT_NAMES = tuple(dict.fromkeys(rule["alert"] for rule in _ALL))
PAGING = tuple(dict.fromkeys(rule["alert"] for rule in _ALL if rule["labels"]["severity"] == "critical"))
"""Those that call somebody."""
RUNBOOK = _DEFINITION.runbook_url
BUDGET = _DEFINITION.objective.budget
BURN_RATES = _DEFINITION.burn_rates
AMPLIFICATION = _ALERTS.retry_storm.threshold
TIMEOUT_RATIO = _ALERTS.timeout_ratio_high.threshold
CANCELLED_SHARE = _ALERTS.cancellation_spike.threshold
SATURATION = _ALERTS.concurrency_saturated.threshold
LAG_SECONDS = _ALERTS.event_loop_lag_high.threshold
STALLED_WINDOW = str(_ALERTS.stalled.window)
