"""Spans of our own behind the OpenTelemetry SDK's configuration, at a tenth of what the SDK's cost. Private.

A span is one object whose attributes are mappings that the primitives have anyway (``readable``, ``span``);
the recorder starts and ends it as the SDK's tracer would, with its sampler, ids, limits and processors
(``recorder``, ``processors``), where that can be done (``probe``). Beside it, for the SDK's spans as well,
stand what encodes one when it ends (``otlp``), keeps bytes within bounds (``backlog``), and has them leave
on a thread that only sends (``encoded_export``).
"""
