"""What a workflow calls."""
