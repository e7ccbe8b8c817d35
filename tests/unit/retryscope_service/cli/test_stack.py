"""`retryscope stack`: its options. What it does is in tests/integration/test_stack.py."""

import pytest

from retryscope_service import cli


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--scale", "0"], "argument --scale: 0 is out of bounds: above 0, at most 1"),
        (["--scale", "2"], "argument --scale"),
        (["--prometheus-port", "65536"], "argument --prometheus-port: 65536 is out of bounds"),
        (["--alertmanager-port", "-1"], "argument --alertmanager-port"),
        (["--url", "here"], "argument --url"),
        (["--grafana-url", "here"], "argument --grafana-url: 'here' is no base URL"),
    ],
)
def test_a_wrong_option_is_named(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["stack", *arguments])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
