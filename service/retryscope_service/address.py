"""The address of the service: host names as ``Host`` and ``Origin`` have them, and the path below a proxy."""

import ipaddress
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Self

ANY: Final = "*"
MAX_ROOT_PATH: Final = 200

_AUTHORITY: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::([0-9]{0,5}))?", re.ASCII)
_ROOT_PATH: Final = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)*", re.ASCII)
_PATTERN: Final = re.compile(r"\*|(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Host:
    """A host and a port, comparable whatever way they were written.

    Attributes:
        name: In small letters without a trailing dot, or an IP address in its shortest form without brackets.
        port: None where it is left to the scheme.
    """

    name: str
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """What a ``Host`` header says.

        Raises:
            ValueError: It is no host with an optional port.
        """
        match = _AUTHORITY.fullmatch(text)
        if match is None:
            raise ValueError(f"{text[:100]!r} is no host name or address with an optional port")
        bracketed, name, digits = match.groups()
        port = int(digits) if digits else None
        if port is not None and port > 65_535:
            raise ValueError(f"port {port} is beyond 65535")
        if bracketed is not None:
            return cls(_shortest(ipaddress.IPv6Address(bracketed)), port)
        name = name.lower().removesuffix(".")
        if not name or ".." in name or name.startswith("."):
            raise ValueError(f"{text[:100]!r} has an empty label")
        return cls(name, port)

    @property
    def address(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
        """Its IP address, if it is not a name."""
        try:
            return ipaddress.ip_address(self.name)
        except ValueError:
            return None

    @property
    def is_loopback(self) -> bool:
        """Whether it can mean this machine only; browsers resolve names below ``localhost`` themselves."""
        if self.address is not None:
            return self.address.is_loopback
        return self.name == "localhost" or self.name.endswith(".localhost")


def _shortest(address: ipaddress.IPv6Address) -> str:
    return str(address.ipv4_mapped or address)


def host_pattern(text: str) -> str:
    """An entry of ``RETRYSCOPE_ALLOWED_HOSTS``, in the form that :class:`AllowedHosts` compares with.

    Raises:
        ValueError: It is none.
    """
    pattern = text.strip().lower().removeprefix("[").removesuffix("]")
    if ":" in pattern:
        try:
            return _shortest(ipaddress.IPv6Address(pattern))
        except ValueError:
            pattern = ""
    pattern = pattern[:-1] if pattern.endswith(".") and not pattern.endswith("*.") else pattern
    if not _PATTERN.fullmatch(pattern):
        raise ValueError(
            f"{text!r} is no host name without a port, address, *.domain for the names below a domain, or *"
        )
    return pattern


class AllowedHosts:
    """The hosts that requests may be for.

    Loopback hosts always are. A service that only this machine reaches answers to no others unless they are
    named: a page elsewhere can let a name of its own mean 127.0.0.1 (DNS rebinding), and would then read and
    start what it likes. One that others reach answers to any host until hosts are named, and then still to
    addresses, by which probes and Prometheus ask: no page elsewhere has an address of this machine as origin.

    Args:
        patterns: Names, ``*.domain``, or ``*``.
        local: Whether only this machine reaches the service.
    """

    def __init__(self, patterns: Collection[str], *, local: bool) -> None:
        self._names = frozenset(patterns)
        self._any = ANY in self._names or not (local or patterns)
        self._addresses = not local

    def __contains__(self, host: Host) -> bool:
        if self._any or host.is_loopback or host.name in self._names:
            return True
        if host.address is not None:
            return self._addresses
        domains = host.name.split(".")[1:]
        return any(f"*.{'.'.join(domains[start:])}" in self._names for start in range(len(domains)))


def valid_root_path(text: str) -> str:
    """The path below which a proxy shows the service, without a slash at its end.

    Raises:
        ValueError: It is none that can stand in an address, a header and a page as it is.
    """
    path = text.removesuffix("/")
    if len(path) > MAX_ROOT_PATH or not _ROOT_PATH.fullmatch(path):
        raise ValueError(
            "it must be empty or like /retryscope: parts of letters, digits and . _ ~ -, each after a slash,"
            f" {MAX_ROOT_PATH} characters at most"
        )
    return path
