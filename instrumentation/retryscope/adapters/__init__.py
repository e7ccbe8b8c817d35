"""Adapters to frameworks; each needs the framework it is named after."""
