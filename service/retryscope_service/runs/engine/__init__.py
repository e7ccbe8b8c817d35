"""The engine of background runs: the only package that knows docket.

``memory://`` is an engine of this process alone; ``redis://`` (also cluster and sentinel) one that any
number of processes share, with the same code.
"""

from retryscope_service.runs.engine.check import EngineRefusedError
from retryscope_service.runs.engine.engine import (
    Delivery,
    Engine,
    EngineError,
    EngineFullError,
    Handler,
    Intake,
)

__all__ = ["Delivery", "Engine", "EngineError", "EngineFullError", "EngineRefusedError", "Handler", "Intake"]
