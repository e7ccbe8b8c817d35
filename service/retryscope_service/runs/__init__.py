"""Running workflows: admission, result, cancellation, draining."""
