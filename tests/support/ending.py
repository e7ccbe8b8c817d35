"""Ending a server of our own by its own pid."""

import subprocess

from tests.support.polling import LIMIT


def end(process: "subprocess.Popen[bytes]") -> None:
    """Ask it to end, and end it whatever it does once it has had its time."""
    process.terminate()
    try:
        process.wait(LIMIT)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(LIMIT)
