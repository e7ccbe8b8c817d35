"""Prometheus and Alertmanager without containers: `retryscope stack`."""
