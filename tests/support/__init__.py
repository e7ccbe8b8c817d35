"""What the tests share: a virtual clock, recorded telemetry, and its rendering as text."""
