"""The drills, by name."""

from collections.abc import Mapping
from typing import Final

from retryscope_service.drills import brown_out, hang, recovery, retry_storm, slow_dependency
from retryscope_service.drills.drill import Drill

DRILLS: Final[Mapping[str, Drill]] = {
    each.DRILL.name: each.DRILL for each in (brown_out, hang, retry_storm, slow_dependency, recovery)
}
"""In the order in which all of them are played."""
