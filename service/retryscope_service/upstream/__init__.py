"""The flaky upstream: a small dependency to call, which fails as real ones do."""
