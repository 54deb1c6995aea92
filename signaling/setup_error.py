"""What the person who started the command is told when it cannot start."""


class SetupError(Exception):
    """The server cannot start; the message says why and names the next step.

    The command prints it as it is and ends with exit code 2.
    """
