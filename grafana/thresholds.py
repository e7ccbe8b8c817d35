"""Where alerts fire, from the SLO definition, to be drawn where their values are shown."""

from retryscope_service.slo.alerts.catalogue import alerts
from retryscope_service.slo.definition import read_definition

_DEFINITION = read_definition()
_SETTINGS = _DEFINITION.alerts
_ALERTS = alerts(_DEFINITION)

ALERT_NAMES = tuple(dict.fromkeys(alert.name for alert in _ALERTS))
PAGING = tuple(dict.fromkeys(alert.name for alert in _ALERTS if alert.settings.severity == "critical"))
"""Those that call somebody."""
RUNBOOK = _DEFINITION.runbook_url
BUDGET = _DEFINITION.objective.budget
BURN_RATES = _DEFINITION.burn_rates
AMPLIFICATION = _SETTINGS.retry_storm.threshold
TIMEOUT_RATIO = _SETTINGS.timeout_ratio_high.threshold
CANCELLED_SHARE = _SETTINGS.cancellation_spike.threshold
SATURATION = _SETTINGS.concurrency_saturated.threshold
LAG_SECONDS = _SETTINGS.event_loop_lag_high.threshold
STALLED_WINDOW = str(_SETTINGS.stalled.window)
