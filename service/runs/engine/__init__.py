"""The engine of background runs: the only package that knows docket.

``memory://`` is an engine of this process alone; ``redis://`` (also cluster and sentinel) one that any
number of processes share, with the same code.
"""

from service.runs.engine.engine import Delivery, Engine, EngineError, Handler, Intake

__all__ = ["Delivery", "Engine", "EngineError", "Handler", "Intake"]
