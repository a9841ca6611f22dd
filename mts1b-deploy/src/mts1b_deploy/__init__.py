"""Turn one profile into a running system."""

from mts1b_deploy.errors import AlreadyRunning, DeployError, ServiceFailed, UnknownProfile
from mts1b_deploy.profile import Process, processes, profile_names, write_profile
from mts1b_deploy.supervisor import Supervisor

__all__ = [
    "AlreadyRunning",
    "DeployError",
    "Process",
    "ServiceFailed",
    "Supervisor",
    "UnknownProfile",
    "processes",
    "profile_names",
    "write_profile",
]
