"""Host names and the path below a proxy: one meaning however it is written, and nothing that is not one."""

import ipaddress

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from retryscope_service.address import AllowedHosts, Host, host_pattern, valid_root_path

LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
NAMES = st.lists(LABELS, min_size=1, max_size=4).map(".".join)
PORTS = st.none() | st.integers(0, 65_535)


@given(NAMES, PORTS, st.booleans(), st.booleans())
def test_case_and_a_trailing_dot_make_no_difference(
    name: str, port: int | None, upper: bool, dot: bool
) -> None:
    text = (name.upper() if upper else name) + "." * dot + ("" if port is None else f":{port}")
    assert Host.parse(text) == Host(name, port)


@given(st.ip_addresses(v=6), PORTS)
def test_an_ipv6_address_is_one_however_it_is_written(
    address: ipaddress.IPv6Address, port: int | None
) -> None:
    suffix = "" if port is None else f":{port}"
    long, short = (Host.parse(f"[{text}]{suffix}") for text in (address.exploded, str(address)))
    assert long == short
    assert long.address == (address.ipv4_mapped or address)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "a..b",
        ".a",
        "a b",
        "a/b",
        "a@b",
        "a:b",
        "a:65536",
        "a:123456",
        "a:1:2",
        "::1",
        "[::1",
        "[::1]x",
        "[::1%25eth0]",
        "[127.0.0.1]",
        "http://a",
        "a,b",
        "a\\b",
        "ä",
        "a?",
        "a#",
        "null, null",
        "\x7f",
    ],
)
def test_what_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Host.parse(text)


@given(st.text(max_size=50))
def test_any_text_is_a_host_or_refused(text: str) -> None:
    try:
        host = Host.parse(text)
    except ValueError:
        return
    assert host.name == host.name.lower()
    assert Host.parse(f"[{host.name}]" if ":" in host.name else host.name) == Host(host.name)


LOOPBACK = (
    "localhost",
    "LOCALHOST.",
    "app.localhost",
    "127.0.0.1",
    "127.9.9.9",
    "[::1]",
    "[::ffff:127.0.0.1]",
)
FOREIGN = (
    "evil.example",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "notlocalhost",
    "0.0.0.0",  # noqa: S104
    "10.0.0.1",
    "[::]",
    "[fe80::1]",
    "127.1",
    "2130706433",
    "0x7f000001",
)


@pytest.mark.parametrize("text", LOOPBACK)
def test_a_loopback_host_is_always_answered(text: str) -> None:
    for patterns in ((), ("example.com",)):
        for local in (True, False):
            assert Host.parse(text) in AllowedHosts(patterns, local=local)


@pytest.mark.parametrize("text", FOREIGN)
def test_on_loopback_no_other_host_is(text: str) -> None:
    assert Host.parse(text) not in AllowedHosts((), local=True)
    assert Host.parse(text) in AllowedHosts((), local=False)
    assert Host.parse(text) in AllowedHosts(("*",), local=True)
    assert Host.parse(text) in AllowedHosts((host_pattern(text),), local=True)


@given(NAMES, NAMES, st.booleans())
def test_hosts_that_are_named_are_and_only_those(name: str, domain: str, local: bool) -> None:
    host, below = Host(name), Host(f"{name}.{domain}")
    assume(below.address is None)
    assert host in AllowedHosts((host_pattern(f"{name.upper()}."),), local=local)
    below_domain = AllowedHosts((host_pattern(f"*.{domain}"),), local=local)
    assert below in below_domain
    assert Host(f"x{domain}y") not in below_domain
    if not Host(domain).is_loopback and Host(domain).address is None:
        assert Host(domain) not in below_domain


def test_beyond_loopback_probes_ask_by_address() -> None:
    """A pod's, by kubelet and Prometheus; none of them can be the origin of a page elsewhere."""
    allowed = AllowedHosts(("retryscope.example",), local=False)
    assert Host.parse("10.1.2.3:8080") in allowed
    assert Host.parse("evil.example") not in allowed


@pytest.mark.parametrize(
    "text", ["", " ", "a:80", "http://a", "a/b", "*.", "a.*", "**", "*a", "a b", "[::1]:80", "[x:y]"]
)
def test_an_allowed_host_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no host name"):
        host_pattern(text)


@pytest.mark.parametrize(
    ("text", "path"),
    [("", ""), ("/", ""), ("/a", "/a"), ("/a/", "/a"), ("/a/b.c/~d-e_f", "/a/b.c/~d-e_f"), ("/..a", "/..a")],
)
def test_a_root_path(text: str, path: str) -> None:
    assert valid_root_path(text) == path


@given(
    st.sampled_from(
        ["a", "//", "/a//", "/a//b", "/.", "/..", "/a/../b", "/%2e", "/a b", "/ä", "/a?", "/a#", "/a\n"]
    )
    | st.text(max_size=20).map(lambda text: f'/{text}"<')
    | st.just("/" + "a" * 200)
)
def test_what_can_not_stand_in_a_page_as_it_is_is_no_root_path(text: str) -> None:
    with pytest.raises(ValueError, match="like /retryscope"):
        valid_root_path(text)
