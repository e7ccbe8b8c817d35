"""A `retryscope` command that runs until it ends or is ended: `load` and `stack`."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGTERM, Signals

from tests.support.polling import LIMIT, wait_until
from tests.support.process import COMMAND, SUSPICIOUS, Ended, environment


class Command:
    """A running command, its output in files.

    Args:
        folder: Where its output goes.
        arguments: The command and its options.
        variables: Environment variables for it.
    """

    def __init__(self, folder: Path, *arguments: str, **variables: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._stdout = folder / "stdout"
        self._stderr = folder / "stderr"
        with self._stdout.open("wb") as stdout, self._stderr.open("wb") as stderr:
            self.process = subprocess.Popen(
                [COMMAND, *arguments],
                cwd=folder,
                env=environment(**variables),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )

    @property
    def stdout(self) -> str:
        """What it printed on standard output."""
        return self._stdout.read_text()

    @property
    def stderr(self) -> str:
        """What it printed on standard error."""
        return self._stderr.read_text()

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Wait until it has printed something, on either output."""

        def printed() -> re.Match[str] | None:
            found = re.search(pattern, self.stdout + self.stderr)
            assert found or self.process.poll() is None, (
                f"it ended with {self.process.returncode} without printing {pattern}:"
                f" {self.stdout}{self.stderr}"
            )
            return found

        return wait_until(printed, f"it prints {pattern}")

    def signal(self, number: Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def wait(self, limit: float = LIMIT) -> int:
        """Wait until it has ended, and check what it printed; returns its exit status."""
        status = self.process.wait(limit)
        output = self.stdout + self.stderr
        assert [words for words in SUSPICIOUS if words in output] == [], output
        return status

    def end(self, number: Signals = SIGTERM) -> int:
        """End it, and wait until it has ended."""
        self.signal(number)
        return self.wait()

    def kill(self) -> None:
        """End it whatever it does."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(LIMIT)


@contextmanager
def running_command(folder: Path, *arguments: str, **variables: str) -> Iterator[Command]:
    """A command that is gone after the block."""
    command = Command(folder, *arguments, **variables)
    try:
        yield command
        if command.process.poll() is None:
            command.end()
    finally:
        command.kill()
        sys.stdout.write(command.stdout + command.stderr)  # pytest shows it where the test fails


def run_in_vain(folder: Path, *arguments: str, **variables: str) -> Ended:
    """Run a command that must end by itself because something is wrong."""
    with running_command(folder, *arguments, **variables) as command:
        status = command.wait()
        return Ended(status, command.stdout, command.stderr)
