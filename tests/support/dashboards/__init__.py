"""Rules that a dashboard must keep, as functions that yield what breaks them.

They stand in for Grafana, which cannot be run here: what can be read from the JSON, from the models of the
foundation SDK, from a PromQL parser and from the tables of names is checked.
"""
