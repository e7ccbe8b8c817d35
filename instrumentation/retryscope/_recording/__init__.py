"""Where executions are recorded: spans, metrics, export. Private."""
