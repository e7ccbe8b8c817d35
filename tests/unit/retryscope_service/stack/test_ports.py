"""Ports for the programs of a stack."""

import socket

import pytest

from retryscope_service.stack.errors import StackError
from retryscope_service.stack.ports import choose_ports


def test_zero_takes_free_ports_that_are_different() -> None:
    first, second = choose_ports({"--a": 0, "--b": 0})
    assert first != second
    for port in (first, second):
        with socket.socket() as free:
            free.bind(("127.0.0.1", port))


def test_a_port_that_is_taken_is_named_with_its_option() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(StackError, match=rf"127\.0\.0\.1:{port} \(--b-port\): .*in use; choose another"):
            choose_ports({"--a-port": 0, "--b-port": port})


def test_the_same_port_twice_is_refused() -> None:
    (port,) = choose_ports({"--a": 0})
    with pytest.raises(StackError, match=r"\(--b\)"):
        choose_ports({"--a": port, "--b": port})
