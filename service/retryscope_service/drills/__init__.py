"""Incidents to rehearse: played against the flaky upstream, and looked for in the telemetry."""
