"""Work in a process of its own: ``python -m benchmarks.child MODULE JSON``.

A variant that lives in its own process can't disturb another's memory, threads, garbage collector or global
settings. The process opens the module's ``open_work`` with what the JSON says, takes one sample for each line
on its standard input, and ends when that does: it never outlives the benchmark.
"""

import importlib
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from .rounds import Sample

Ask = Callable[..., Sample]
"""Takes a sample; keyword arguments say which."""


@contextmanager
def running(module: str, tasks: Mapping[str, Mapping[str, Any]]) -> Iterator[Mapping[str, Ask]]:
    """A process for each of these tasks, by name; they start at once."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(_child(module, task)) for name, task in tasks.items()}


@contextmanager
def _child(module: str, task: Mapping[str, Any]) -> Iterator[Ask]:
    command = [sys.executable, "-m", "benchmarks.child", module, json.dumps(task)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        asked, answers = process.stdin, process.stdout

        def ask(**which: Any) -> Sample:
            asked.write(json.dumps(which) + "\n")
            asked.flush()
            answer = answers.readline()
            if not answer:
                raise RuntimeError(f"the process of {module} with {task} ended; what it said is above")
            sample: Sample = json.loads(answer)
            return sample

        try:
            yield ask
        finally:
            asked.close()


def _work(module: str, task: str) -> None:
    # What is dropped, or given up, is counted by what is measured; printed, it would hide the table.
    logging.getLogger("retryscope").addHandler(logging.NullHandler())
    with importlib.import_module(module).open_work(**json.loads(task)) as sample:
        for line in sys.stdin:
            print(json.dumps(sample(**json.loads(line))), flush=True)


if __name__ == "__main__":
    _work(*sys.argv[1:])
