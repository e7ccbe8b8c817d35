"""The traces of this process: kept in memory, as OTLP JSON and as text."""
