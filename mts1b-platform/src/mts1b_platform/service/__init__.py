"""The life of a service: start, serve, be watched, stop."""

from mts1b_platform.service.base import Service, ServiceContext

__all__ = ["Service", "ServiceContext"]
