"""Spans of our own behind the OpenTelemetry SDK's configuration, at a tenth of what the SDK's cost. Private.

A span is one object whose attributes are mappings that the primitives have anyway (``readable``, ``span``);
the recorder starts and ends it as the SDK's tracer would, with its sampler, ids, limits and processors
(``recorder``, ``processors``), where that can be done (``probe``). It is encoded when it ends (``otlp``),
waits as bytes within bounds (``backlog``), and leaves on a thread that only sends (``export``).
"""
