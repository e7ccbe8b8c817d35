"""YAML without its worst surprise: of a key that is there twice, the first one is silently lost."""

from collections.abc import Hashable
from typing import Any

import yaml


def load(text: str) -> Any:
    """Parse one YAML document of plain data.

    Raises:
        yaml.YAMLError: It is not YAML, or a mapping has a key twice; the message names the line.
    """
    return yaml.load(text, _Loader)  # noqa: S506 - derived from SafeLoader


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue  # refused by what is called below
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} is there twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)
