"""Why a stack does not start, or ends."""


class StackError(Exception):
    """The stack can't be started as asked; the message says why, and what to do."""


class ProgramEndedError(Exception):
    """Prometheus or Alertmanager ended by itself; the message says which, and what it said last."""
