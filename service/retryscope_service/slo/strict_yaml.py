"""YAML without its worst surprises.

Of a key that is there twice, the first one is silently lost. A few aliases of aliases make a document that no
memory holds. A number may have so many digits that Python refuses to read or to show it, in words of its own.
"""

from collections.abc import Hashable
from typing import Any, Final

import yaml

MAX_SCALAR: Final = 100
"""Characters of a number or a date."""
_TEXT: Final = "tag:yaml.org,2002:str"


def load(text: str) -> Any:
    """Parse one YAML document of plain data.

    Raises:
        yaml.YAMLError: It is not YAML, a mapping has a key twice, it has an alias, or a number or a date that
            is none; the message names the line.
    """
    return yaml.load(text, _Loader)  # noqa: S506 - derived from SafeLoader


class _Loader(yaml.SafeLoader):
    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(
                None, None, f"*{event.anchor} is an alias: write out what it stands for", event.start_mark
            )
        return super().compose_node(parent, index)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        if isinstance(node, yaml.ScalarNode) and node.tag != _TEXT and len(node.value) > MAX_SCALAR:
            raise yaml.constructor.ConstructorError(
                None,
                None,
                f"{node.value[:20]}... has {len(node.value)} characters: a number or a date has at most"
                f" {MAX_SCALAR}",
                node.start_mark,
            )
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError, ArithmeticError, AttributeError):  # such as 2026-02-30, !!int x
            raise yaml.constructor.ConstructorError(
                None, None, f"{node.value!r} is no number and no date that there is", node.start_mark
            ) from None

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
