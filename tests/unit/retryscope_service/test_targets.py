"""Where requests may go: what is named, however it is written, and nothing of the inside behind a name."""

import ipaddress
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retryscope_service.targets import SETTING, AllowedTargets, HostNotAllowedError, Target, is_global

ALLOWED = AllowedTargets(
    ["shop.example", "shop.example:8443", "10.0.0.7:8080", "exämple.com", "[2001:db8::1]:80"],
    "http://127.0.0.1:8082",
)


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example/a?b=c",
        "https://shop.example",
        "http://SHOP.Example:80/",
        "https://shop.example:443/",
        "http://shop.example:8443/",
        "https://shop.example:8443/",
        "http://10.0.0.7:8080/",
        "http://exämple.com/",
        "http://xn--exmple-cua.com/",
        "http://[2001:DB8:0::1]/",
        "http://127.0.0.1:8082/work",
    ],
)
def test_what_is_named_may_be_called(url: str) -> None:
    """However it is written, where that can only mean the same."""
    assert ALLOWED.check_url(url).raw_host


@pytest.mark.parametrize(
    "url",
    [
        "http://other.example/",
        "http://shop.example.other.example/",
        "http://sub.shop.example/",
        "http://xshop.example/",
        "http://shop.example./",
        "http://shop.example%2eother/",
        "http://shop.example:81/",
        "http://shop.example:443/",
        "https://shop.example:80/",
        "http://10.0.0.7/",
        "http://127.0.0.1/",
        "http://127.0.0.1:8081/",
        "http://localhost:8082/",
        "http://127.1:8082/",
        "http://2130706433:8082/",
        "http://0x7f000001:8082/",
        "http://0x7f.0.0.1:8082/",
        "http://0177.0.0.1:8082/",
        "http://127.0.0.1.:8082/",
        "http://127.00.0.1:8082/",
        "http://[::ffff:127.0.0.1]:8082/",
        "http://[::127.0.0.1]:8082/",
        "http://[::1]:8082/",
        "http://[fe80::1%25eth0]:8082/",
        "http://0:8082/",
        "http://0.0.0.0:8082/",
        "http://169.254.169.254/latest/meta-data/",
        "http://shop.example:0/",
    ],
)
def test_any_other_host_or_port_is_refused(url: str) -> None:
    """It says which, what may be called, and where that is set."""
    with pytest.raises(HostNotAllowedError, match=rf" may not be called: .*{SETTING}"):
        ALLOWED.check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://shop.example/",
        "file:///etc/passwd",
        "gopher://shop.example:80/",
        "ws://shop.example/",
        "//shop.example/",
        "shop.example",
        "/job",
        "http:///job",
        "http:shop.example",
        "",
    ],
)
def test_what_is_no_web_address_is_refused(url: str) -> None:
    with pytest.raises(HostNotAllowedError, match="may not be called: http://host/"):
        ALLOWED.check_url(url)


@pytest.mark.parametrize(
    "url",
    ["http://ada@shop.example/", "http://ada:secret@shop.example/", "http://other.example:80@shop.example/"],
)
def test_a_url_with_a_user_is_refused(url: str) -> None:
    """Which it does not repeat: a password may be in it."""
    with pytest.raises(HostNotAllowedError, match="names a user") as caught:
        ALLOWED.check_url(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://[::1", "http://shop.example:99999/", "http://other\\@shop.example/"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(HostNotAllowedError, match="is no URL"):
        ALLOWED.check_url(url)


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("shop.example", "shop.example"),
        (" SHOP.example:8443 ", "shop.example:8443"),
        ("exämple.com", "xn--exmple-cua.com"),
        ("10.0.0.7:80", "10.0.0.7:80"),
        ("[2001:DB8::0:1]:80", "[2001:db8::1]:80"),
        ("[::1]", "[::1]"),
    ],
)
def test_an_entry_of_the_setting_has_one_form(text: str, entry: str) -> None:
    assert str(Target.parse(text)) == entry


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "*.example",
        "http://shop.example",
        "shop.example/",
        "shop.example/a",
        "shop.example?a",
        "shop.example#a",
        "ada@shop.example",
        "shop.example:0",
        "shop.example:port",
        "shop.example:99999",
        "shop.example.",
        "a b",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "::1",
        "[fe80::1%25eth0]",
        "[::1",
    ],
)
def test_what_is_no_entry_is_an_error(text: str) -> None:
    """Also an address in a way of writing that other programs read as another one."""
    with pytest.raises(ValueError, match="is no host name or address"):
        Target.parse(text)


def test_with_no_setting_only_the_upstream_may_be_called() -> None:
    targets = AllowedTargets(upstream="http://127.0.0.1:8082")
    targets.check_url("http://127.0.0.1:8082/work")
    for url in ("http://shop.example/", "http://127.0.0.1:8081/"):
        with pytest.raises(HostNotAllowedError):
            targets.check_url(url)
    with pytest.raises(HostNotAllowedError):
        AllowedTargets().check_url("http://127.0.0.1:8082/work")


def part(number: int, base: str) -> str:
    return {"decimal": str(number), "octal": f"0{number:o}", "hex": f"0x{number:x}", "HEX": f"0X{number:X}"}[
        base
    ]


BASES = st.sampled_from(["decimal", "octal", "hex", "HEX"])


@st.composite
def notations(draw: st.DrawFn) -> tuple[IPv4Address, str]:
    """An address, and a way to write it that some program or other understands."""
    address = IPv4Address(draw(st.integers(0, 2**32 - 1) | st.just(0x7F000001) | st.just(0x0A000007)))
    octets = list(address.packed)
    given = draw(st.integers(1, 4))
    numbers = [*octets[: given - 1], int.from_bytes(octets[given - 1 :], "big")]
    text = ".".join(part(number, draw(BASES)) for number in numbers) + draw(st.sampled_from(["", "."]))
    kinds = [text, f"[::ffff:{address}]", f"[::{address}]", f"[64:ff9b::{address}]", f"[::ffff:0:{address}]"]
    return address, draw(st.sampled_from(kinds))


@given(notations(), st.sampled_from([80, 8080, 8082]))
def test_an_address_in_other_words_is_never_called(written: tuple[IPv4Address, str], port: int) -> None:
    """Only as it is named, even where that is the same address."""
    address, text = written
    named = AllowedTargets([f"{address}:{port}"])
    if text == str(address):
        named.check_url(f"http://{text}:{port}/")
    else:
        with pytest.raises(HostNotAllowedError):
            named.check_url(f"http://{text}:{port}/")
    if text not in ("10.0.0.7", "127.0.0.1"):
        with pytest.raises(HostNotAllowedError):
            ALLOWED.check_url(f"http://{text}:{port}/")


@pytest.mark.parametrize("address", ["9.9.9.9", "93.184.215.14", "2620:fe::fe", "2a00:1450:4001::1"])
def test_a_public_address_of_one_host_is_global(address: str) -> None:
    assert is_global(address)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",  # noqa: S104
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.0.9",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "203.0.113.1",
        "224.0.0.1",
        "233.252.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:9.9.9.9",
        "64:ff9b::a00:1",
        "64:ff9b:1::a00:1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:a00:1::1",
        "3fff::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "shop.example",
        "127.1",
        "",
    ],
)
def test_any_other_is_not(address: str) -> None:
    assert not is_global(address)


@given(st.ip_addresses())
def test_no_address_is_global_that_python_calls_anything_else(address: IPv4Address | IPv6Address) -> None:
    if is_global(str(address)):
        kinds = ("private", "loopback", "link_local", "multicast", "reserved", "unspecified")
        assert [kind for kind in kinds if getattr(address, f"is_{kind}")] == []
        if isinstance(address, IPv6Address):
            assert (address.sixtofour, address.teredo, address.ipv4_mapped) == (None, None, None)


@given(st.ip_addresses(network=ipaddress.IPv6Network("64:ff9b::/96")))
def test_no_address_of_a_translator_is_global(address: IPv6Address) -> None:
    """It would lead to the IPv4 address inside."""
    assert not is_global(str(address))


def test_an_address_of_the_inside_behind_a_name_is_refused() -> None:
    """It says where the name leads, and what would allow it."""
    ALLOWED.check_address("shop.example", 80, "9.9.9.9")
    with pytest.raises(HostNotAllowedError, match=rf"leads to 10\.0\.0\.7, .* {SETTING} .* 10\.0\.0\.7:80"):
        ALLOWED.check_address("shop.example", 80, "10.0.0.7")


def test_an_address_that_is_named_itself_may_be_behind_a_name() -> None:
    """With that very port."""
    ALLOWED.check_address("shop.example", 8080, "10.0.0.7")
    with pytest.raises(HostNotAllowedError):
        ALLOWED.check_address("shop.example", 8080, "10.0.0.8")


def test_the_name_of_the_upstream_may_lead_anywhere() -> None:
    """In a container's network it leads inside."""
    targets = AllowedTargets(upstream="http://upstream:8082")
    targets.check_address("upstream", 8082, "172.18.0.3")
    with pytest.raises(HostNotAllowedError):
        targets.check_address("upstream", 80, "172.18.0.3")
