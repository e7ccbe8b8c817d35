"""What the service itself remembers of its telemetry."""
