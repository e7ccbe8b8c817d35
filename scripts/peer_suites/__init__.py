"""The tests that others have of what this library does, run through it: ``make peer-suites``."""
