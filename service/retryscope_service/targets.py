"""Where requests of this service may go: hosts that are named, and no address of the inside behind a name."""

import ipaddress
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Self

from yarl import URL

from retryscope_service.printable import printable

SETTING: Final = "RETRYSCOPE_HTTP_ALLOWED_HOSTS"

_HOST: Final = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*|[0-9a-f:.]*:[0-9a-f:.]*", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_GLOBAL_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
_SPECIAL: Final = tuple(
    map(
        ipaddress.ip_network,
        (
            "192.0.0.0/24",  # of protocols
            "192.88.99.0/24",  # relays of 6to4
            "224.0.0.0/3",  # multicast, reserved, broadcast
            "2001::/23",  # of protocols: Teredo, ORCHID
            "2001:db8::/32",  # of documents
            "2002::/16",  # 6to4: an IPv4 address in the next 32 bits
            "3fff::/20",  # of documents
        ),
    )
)


class HostNotAllowedError(ValueError):
    """A request would go where it may not."""


@dataclass(frozen=True, slots=True)
class Target:
    """A host and a port that may be called.

    Attributes:
        host: As :class:`yarl.URL` has it: in small letters, IDNA, an address in its shortest form.
        port: None: the one that the scheme has by itself, 80 or 443.
    """

    host: str
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """An entry of the setting: ``host``, ``host:port``, an IPv6 address in brackets.

        Raises:
            ValueError: It is none.
        """
        entry = text.strip()
        try:
            url = URL(f"http://{entry}")
        except ValueError:
            url = URL()
        target = cls(url.raw_host or "", url.explicit_port)
        if not target.is_plain or re.search(r"[\s/?#@\\]", entry):
            raise ValueError(
                f"{printable(text, 100)!r} is no host name or address with an optional port: example.com,"
                " example.com:8443, 10.0.0.7:8080 or [2001:db8::1]:8080"
            )
        return target

    @property
    def is_plain(self) -> bool:
        """Whether it is a name or an address as it is always written, not 127.1, 0x7f000001 or the like."""
        if not _HOST.fullmatch(self.host) or self.port == 0:
            return False
        try:
            ipaddress.ip_address(self.host)
        except ValueError:
            return ":" not in self.host and not _NUMBER.fullmatch(self.host.rpartition(".")[2])
        return True

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"


class AllowedTargets:
    """What may be called: the bundled upstream, and what the setting names.

    Args:
        named: The entries of ``RETRYSCOPE_HTTP_ALLOWED_HOSTS``.
        upstream: Address of the bundled upstream; None: there is none.

    Raises:
        ValueError: An entry or the address is none.
    """

    def __init__(self, named: Collection[str] = (), upstream: str | None = None) -> None:
        self._named = frozenset(map(Target.parse, named))
        self._upstream: Target | None = None
        if upstream is not None:
            url = URL(upstream)
            self._upstream = Target(url.raw_host or "", url.port)

    def check_url(self, text: str) -> URL:
        """The URL, which may be called; its addresses are known only when it is.

        Raises:
            HostNotAllowedError: It may not, or is none.
        """
        try:
            url = URL(text)
        except ValueError as error:
            raise HostNotAllowedError(f"{_shown(text)} is no URL: {printable(str(error), 200)}") from error
        self.check(url)
        return url

    def check(self, url: URL) -> None:
        """Look at a URL as it will be called.

        Raises:
            HostNotAllowedError: It is not of http or https, names a user, or may not be called.
        """
        host, port = url.raw_host, url.port
        if url.scheme not in _DEFAULT_PORTS or not host or port is None:
            raise HostNotAllowedError(
                f"{_shown(str(url))} may not be called: http://host/... or https://host/... may"
            )
        if url.raw_user is not None or url.raw_password is not None:
            raise HostNotAllowedError(
                f"a URL of {_shown(host)} that names a user may not be called: leave user and password out"
            )
        asked = Target(host, port)
        by_scheme = port == _DEFAULT_PORTS[url.scheme] and Target(host) in self._named
        if not (by_scheme or asked == self._upstream or asked in self._named):
            raise HostNotAllowedError(
                f"{printable(str(asked), 200)} may not be called: only the bundled upstream and the hosts"
                f" that {SETTING} names may, each with that port (80 and 443 where it names none)"
            )

    def check_address(self, host: str, port: int, address: str) -> None:
        """Look at an address that a name server has given for a host that may be called.

        Raises:
            HostNotAllowedError: It is of the inside, and neither the upstream's nor named itself.
        """
        if Target(host, port) == self._upstream or is_global(address):
            return
        if Target(address, port) in self._named:
            return
        raise HostNotAllowedError(
            f"{printable(host, 200)}:{port} may not be called: its name leads to {printable(address, 60)},"
            f" which is no public address; {SETTING} would have to name {Target(address, port)} as well"
        )


def is_global(address: str) -> bool:
    """Whether an address is one of the public internet: of one host, and with no other address inside.

    >>> is_global("9.9.9.9"), is_global("2620:fe::fe"), is_global("10.0.0.7"), is_global("64:ff9b::a00:7")
    (True, True, False, False)
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if any(parsed in network for network in _SPECIAL):
        return False
    return parsed.is_global if parsed.version == 4 else parsed in _GLOBAL_UNICAST


def _shown(text: str) -> str:
    return repr(printable(text, 200))
