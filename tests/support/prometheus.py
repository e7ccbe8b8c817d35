"""A real Prometheus: asking one, and starting one that scrapes one address."""

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.support.ending import end
from tests.support.otlp_receiver import reserved_port
from tests.support.polling import LIMIT, wait_until

SCRAPE_INTERVAL = 0.5
"""Seconds."""

_CONFIG = """\
global:
  scrape_interval: {milliseconds}ms
rule_files: ["*.rules"]
"""

_SCRAPE = """\
scrape_configs:
  - job_name: retryscope
    static_configs:
      - targets: ["127.0.0.1:{port}"]
"""

Labels = tuple[str, ...]


class PrometheusApi:
    """The HTTP interface of a running Prometheus."""

    def __init__(self, port: int) -> None:
        self.port = port

    def api(self, path: str, **parameters: str) -> Any:
        """The data of an answer of its HTTP interface."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT)
        try:
            connection.request("GET", f"/api/v1/{path}?{urlencode(parameters)}")
            response = connection.getresponse()
            answer = json.loads(response.read())
        finally:
            connection.close()
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expression: str, *labels: str) -> dict[Labels, float]:
        """The instant value of each series, by the values of the labels named."""
        data = self.api("query", query=expression)
        assert data["resultType"] == "vector", data
        found = {
            tuple(series["metric"].get(label, "") for label in labels): float(series["value"][1])
            for series in data["result"]
        }
        assert len(found) == len(data["result"]), f"these labels don't tell the series apart: {data}"
        return found

    def wait_for_scrapes(self, number: float, limit: float = LIMIT) -> None:
        """Wait until so many more scrapes have arrived: one that failed brings nothing."""

        def arrived() -> float:
            return sum(self.query("sum_over_time(up[1h])").values())

        wanted = arrived() + number
        wait_until(lambda: arrived() >= wanted, f"{number:g} more scrapes have arrived", limit)

    def moment_when(self, expression: str, what: str, limit: float = LIMIT) -> int:
        """A whole second in which the expression has a value, and the last scrape has not failed.

        Grafana asks at whole seconds: what began to be true within this one, it does not see yet. A scrape
        may fail on a busy machine; until the next one, gauges have no value, nor what is recorded from them.
        """

        def moment() -> int | None:
            second = int(time.time())
            found = self.api("query", query=f"count({expression}) and (sum(up) == 1)", time=f"{second}")
            return second if found["result"] else None

        return wait_until(moment, what, limit)

    def exemplars(self, selector: str, start: float, end: float) -> list[tuple[Mapping[str, str], Any]]:
        """Labels of the series, and exemplar, of all that were stored between two times."""
        data = self.api("query_exemplars", query=selector, start=f"{start:.3f}", end=f"{end:.3f}")
        return [(series["seriesLabels"], each) for series in data for each in series["exemplars"]]


class Prometheus(PrometheusApi):
    """A running Prometheus with exemplar storage; everything it writes is in ``folder``.

    Args:
        program: Its path.
        folder: For its files.
        port: Where it listens.
        target_port: What it scrapes; None: nothing.
        rules: Text of a rules file.
        options: Further ones of the program.
        scrape_interval: In seconds; a scrape may take as long.
    """

    def __init__(
        self,
        program: Path,
        folder: Path,
        port: int,
        target_port: int | None,
        rules: str = "",
        options: Sequence[str] = (),
        scrape_interval: float = SCRAPE_INTERVAL,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "prometheus.rules").write_text(rules)
        super().__init__(port)
        self._log = folder / "log"
        config = folder / "prometheus.yml"
        settings = _CONFIG.format(milliseconds=round(scrape_interval * 1000))
        if target_port is not None:
            settings += _SCRAPE.format(port=target_port)
        config.write_text(settings)
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    program,
                    f"--config.file={config}",
                    f"--storage.tsdb.path={folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{self.port}",
                    "--enable-feature=exemplar-storage",
                    *options,
                ],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        """What it printed."""
        return self._log.read_text()

    def wait_until_ready(self) -> None:
        """Wait until it answers queries."""

        def ready() -> bool:
            assert self.process.poll() is None, f"prometheus ended: {self.log}"
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT)
                try:
                    connection.request("GET", "/-/ready")
                    return connection.getresponse().status == 200
                finally:
                    connection.close()
            except OSError:
                return False

        wait_until(ready, "prometheus is ready")

    def stop(self) -> None:
        """End it."""
        end(self.process)


@contextmanager
def prometheus(
    program: Path,
    folder: Path,
    target_port: int | None,
    rules: str = "",
    options: Sequence[str] = (),
    scrape_interval: float = SCRAPE_INTERVAL,
) -> Iterator[Prometheus]:
    """A Prometheus that runs during the block."""
    with reserved_port() as port:
        started = Prometheus(program, folder, port, target_port, rules, options, scrape_interval)
        try:
            started.wait_until_ready()
            yield started
        finally:
            started.stop()
            sys.stdout.write(started.log)  # pytest shows it where the test fails
