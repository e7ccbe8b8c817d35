"""Ports on 127.0.0.1, asked for or free ones."""

import socket
from collections.abc import Mapping
from contextlib import ExitStack

from retryscope_service.stack.errors import StackError


def choose_ports(asked: Mapping[str, int]) -> list[int]:
    """A port for each option, in their order; 0 becomes a free one.

    Args:
        asked: The port asked for, by the option that asks for it.

    Raises:
        StackError: A port is taken.
    """
    with ExitStack() as stack:
        # Held together, so that they are different; a program started a moment later takes them over.
        return [_hold(stack, option, port) for option, port in asked.items()]


def _hold(stack: ExitStack, option: str, port: int) -> int:
    held = stack.enter_context(socket.socket())
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        held.bind(("127.0.0.1", port))
        held.listen()  # two that do not listen yet may have the same port
    except OSError as error:
        raise StackError(
            f"can't listen on 127.0.0.1:{port} ({option}): {error.strerror};"
            " choose another port, 0 for a free one"
        ) from None
    number: int = held.getsockname()[1]
    return number
