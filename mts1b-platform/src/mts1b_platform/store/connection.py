"""The name of what a transaction hands out, without what importing it would cost.

Only PostgreSQL needs SQLAlchemy's asyncio package, and with it the whole of its ORM.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ["AsyncConnection"]

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection
else:
    AsyncConnection = Any
