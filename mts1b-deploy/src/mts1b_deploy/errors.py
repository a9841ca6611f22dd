"""What can stop a deployment, with the exit code that the command ends with."""

__all__ = ["AlreadyRunning", "DeployError", "HaltInForce", "ServiceFailed", "UnknownProfile"]


class DeployError(Exception):
    """The root of this package's errors; ``exit_code`` is the command's."""

    exit_code = 1


class UnknownProfile(DeployError):
    """No profile has this name: choose one of those listed."""

    exit_code = 3


class AlreadyRunning(DeployError):
    """Another supervisor holds this MTS_HOME: stop it, or use another home."""

    exit_code = 4


class ServiceFailed(DeployError):
    """A service ends as often as it is started: read its log, mend the cause."""

    exit_code = 4


class HaltInForce(DeployError):
    """A person's halt would be dropped with the finished run: end it with a signed resume."""

    exit_code = 5
