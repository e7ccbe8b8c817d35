"""OpenTelemetry's variables, read once: what was checked is what is used, and what can't be used is refused.

The SDK logs a warning about a wrong value, or nothing, and goes on with another one or without the spans.
"""

from __future__ import annotations

import math
import os
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal, cast, get_args
from urllib.parse import unquote, urlsplit

import requests
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler, TraceIdRatioBased

from retryscope.printable import described

MAX_TIMEOUT: Final = 3600.0
"""Of a request to the collector, in seconds; OpenTelemetry's specification counts it in milliseconds."""
MAX_INT: Final = 2**31 - 1

RecorderChoice = Literal["auto", "fast", "sdk"]
"""What records spans: our own ones where that can be done, or else; or the SDK's."""

_SAMPLERS: Final[dict[str, Sampler]] = {
    "always_on": ALWAYS_ON,
    "always_off": ALWAYS_OFF,
    "parentbased_always_on": ParentBased(ALWAYS_ON),
    "parentbased_always_off": ParentBased(ALWAYS_OFF),
}
_RATIO_SAMPLERS: Final = ("traceidratio", "parentbased_traceidratio")
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def variable(name: str, default: str = "") -> str:
    """Its value without surrounding blanks; an empty one means the same as none, says the specification."""
    return os.environ.get(name, "").strip() or default


def otlp_variable(name: str) -> tuple[str, str]:
    """The variable for traces, else the one for all signals: its full name and its value."""
    full_name = f"OTEL_EXPORTER_OTLP_TRACES_{name}"
    if not variable(full_name):
        full_name = f"OTEL_EXPORTER_OTLP_{name}"
    return full_name, variable(full_name)


def recorder_choice() -> RecorderChoice:
    """That of ``RETRYSCOPE_RECORDER``."""
    value = variable("RETRYSCOPE_RECORDER", "auto").lower()
    for choice in get_args(RecorderChoice):
        if value == choice:
            return cast(RecorderChoice, choice)
    raise ValueError(f"RETRYSCOPE_RECORDER must be 'auto', 'fast' or 'sdk', got {value[:40]!r}")


def kept_successes(given: float | None) -> float:
    """The share of plain successes to export: what is given, else that of ``RETRYSCOPE_KEEP_SUCCESSES``."""
    if given is None:
        name, text = "RETRYSCOPE_KEEP_SUCCESSES", variable("RETRYSCOPE_KEEP_SUCCESSES", "1")
        given = _number(name, text)
    else:
        name, text = "keep_successes", described(given)
        if isinstance(given, bool) or not isinstance(given, (int, float)):
            raise TypeError(f"keep_successes must be a number from 0 to 1, got {text}")
    if not 0 <= given <= 1:
        raise ValueError(f"{name} must be a number from 0 to 1, got {text[:40]}")
    return float(given)


def is_disabled() -> bool:
    """Whether ``OTEL_SDK_DISABLED`` says so."""
    value = variable("OTEL_SDK_DISABLED", "false")
    if value.lower() not in ("true", "false"):
        raise ValueError(f"OTEL_SDK_DISABLED must be 'true' or 'false', got {value!r}")
    return value.lower() == "true"


def check_resource() -> None:
    """Refuse what the resource detector would leave out, or no collector could be sent."""
    for name in ("OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"):
        if not unquote(variable(name)).isprintable():
            raise ValueError(f"{name} must be printable text, got {variable(name)!r}")
    for pair in filter(str.strip, variable("OTEL_RESOURCE_ATTRIBUTES").split(",")):
        if not pair.partition("=")[0].strip() or "=" not in pair:
            raise ValueError(f"OTEL_RESOURCE_ATTRIBUTES must be key=value pairs with commas, got {pair!r}")


def sampler() -> Sampler:
    """That of ``OTEL_TRACES_SAMPLER`` and ``OTEL_TRACES_SAMPLER_ARG``."""
    name = variable("OTEL_TRACES_SAMPLER", "parentbased_always_on").lower()
    argument = variable("OTEL_TRACES_SAMPLER_ARG")
    if name in _SAMPLERS:
        if argument:
            raise ValueError(
                f"OTEL_TRACES_SAMPLER_ARG is for OTEL_TRACES_SAMPLER={' or '.join(_RATIO_SAMPLERS)},"
                f" which is {name!r}; got {argument!r}"
            )
        return _SAMPLERS[name]
    if name not in _RATIO_SAMPLERS:
        known = ", ".join((*_SAMPLERS, *_RATIO_SAMPLERS))
        raise ValueError(f"OTEL_TRACES_SAMPLER must be one of {known}, got {name!r}")
    ratio = _number("OTEL_TRACES_SAMPLER_ARG", argument or "1")
    if not 0 <= ratio <= 1:
        raise ValueError(f"OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1, got {argument!r}")
    by_ratio = TraceIdRatioBased(ratio)
    return by_ratio if name == "traceidratio" else ParentBased(by_ratio)


def otlp_options() -> dict[str, Any] | None:
    """How the OTLP exporter is made; None: nothing is exported."""
    wanted = variable("OTEL_TRACES_EXPORTER").lower()
    if wanted not in ("", "otlp", "none"):
        raise ValueError(f"OTEL_TRACES_EXPORTER must be 'otlp' or 'none' here, got {wanted!r}")
    name, endpoint = otlp_variable("ENDPOINT")
    if wanted == "otlp" and not endpoint:
        raise ValueError("OTEL_TRACES_EXPORTER is 'otlp', which needs OTEL_EXPORTER_OTLP_ENDPOINT here")
    if wanted == "none" or not endpoint:
        return None
    url = _url(name, endpoint)
    name, protocol = otlp_variable("PROTOCOL")
    if protocol not in ("", "http/protobuf"):
        raise ValueError(f"{name} must be 'http/protobuf' here (port 4318), got {protocol!r}")
    name, compression = otlp_variable("COMPRESSION")
    if compression.lower() not in ("", "none", "gzip", "deflate"):
        raise ValueError(f"{name} must be 'none', 'gzip' or 'deflate', got {compression!r}")
    return {
        "endpoint": url,
        "headers": _headers(),
        "timeout": _timeout(),
        "compression": Compression(compression.lower() or "none"),
        **_tls_files(),
    }


def positive_int(name: str, default: int) -> int:
    """A whole number of at least 1."""
    text = variable(name, str(default))
    if re.fullmatch(r"[0-9]{1,10}", text) is None or not 1 <= int(text) <= MAX_INT:
        raise ValueError(f"{name} must be a whole number >= 1 and <= {MAX_INT}, got {text[:40]!r}")
    return int(text)


def _number(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{name} must be a number, got {text[:40]!r}")
    return value


def _timeout() -> float:
    name, text = otlp_variable("TIMEOUT")
    seconds = _number(name, text or "10")
    if not 0 < seconds <= MAX_TIMEOUT:
        raise ValueError(
            f"{name} must be a number of seconds above 0 and at most {MAX_TIMEOUT:g}, got {text[:40]!r}"
        )
    return seconds


def _url(name: str, endpoint: str) -> str:
    """The URL that is asked; a password in it is not repeated."""
    shown = "an address with '@'" if "@" in endpoint else repr(endpoint)
    if not endpoint.lower().startswith(("http://", "https://")):
        raise ValueError(f"{name} must start with http:// or https://, got {shown}")
    url = endpoint if "_TRACES_" in name else f"{endpoint.rstrip('/')}/v1/traces"
    try:
        parts = urlsplit(endpoint)
        usable = bool(parts.hostname) and parts.port != 0 and not parts.fragment
        usable = usable and (not parts.query or "_TRACES_" in name)
        requests.Request("POST", url).prepare()
    except (ValueError, requests.RequestException):
        usable = False
    if not usable or not endpoint.isprintable() or " " in endpoint:
        raise ValueError(f"{name} must be a URL such as http://127.0.0.1:4318, got {shown}")
    return url


def _headers() -> dict[str, str]:
    """What is sent with each request; the values are secrets, and never repeated."""
    name, text = otlp_variable("HEADERS")
    headers = {}
    for number, pair in enumerate(text.split(","), 1):
        if not pair.strip():
            continue
        key, equals, value = (unquote(part).strip() for part in pair.partition("="))
        if not equals or not _TOKEN.fullmatch(key) or re.search(r'["\\;]', pair):
            raise ValueError(
                f"{name} must be name=value pairs with commas, URL-encoded; number {number} is none"
            )
        if not value.isprintable() or not value.isascii():
            raise ValueError(f"{name} has a value for {key!r} that no header can carry: printable ASCII only")
        headers[key.lower()] = value
    return headers


def _tls_files() -> dict[str, str | None]:
    ca_name, ca = otlp_variable("CERTIFICATE")
    key_name, key = otlp_variable("CLIENT_KEY")
    certificate_name, certificate = otlp_variable("CLIENT_CERTIFICATE")
    if key and not certificate:
        raise ValueError(f"{key_name} needs OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca:
        folder = Path(ca).is_dir()
        with _refusing(f"{ca_name} must be a file, or a folder, of PEM certificates, got {ca!r}"):
            context.load_verify_locations(capath=ca) if folder else context.load_verify_locations(cafile=ca)
    if certificate:
        files = f"{certificate!r}, key {key!r} ({key_name})" if key else repr(certificate)
        with _refusing(
            f"{certificate_name} must be a PEM file with its key, without a password, got {files}"
        ):
            context.load_cert_chain(certificate, key or None, password=lambda: b"")
    return {
        "certificate_file": ca or None,
        "client_key_file": key or None,
        "client_certificate_file": certificate or None,
    }


@contextmanager
def _refusing(message: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"{message}: {reason}") from error
