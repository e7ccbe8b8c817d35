"""What all primitives share: executions, scopes, attempts, backoff. Private."""
