"""The command ``retryscope``."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    try:
        try:
            from retryscope_service.cli.command import (
                run,  # here, because a Ctrl-C may come while it is imported
            )
        except ValueError as error:  # OpenTelemetry reads some variables when it is imported
            from retryscope_service.cli.output import fail

            return fail(str(error))
        return run(arguments)
    except KeyboardInterrupt:  # before a command handles signals itself
        return 130
