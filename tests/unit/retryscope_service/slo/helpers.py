"""The definition that comes with the service, with changes."""

import copy
from typing import Any

from retryscope_service.slo import strict_yaml
from retryscope_service.slo.definition import PACKAGED, SloDefinition

_PACKAGED: Any = strict_yaml.load(PACKAGED.read_text())


def definition(**objective: Any) -> SloDefinition:
    """The packaged definition with other values in its objective."""
    document = copy.deepcopy(_PACKAGED)
    document["objective"].update(objective)
    return SloDefinition.model_validate(document)
