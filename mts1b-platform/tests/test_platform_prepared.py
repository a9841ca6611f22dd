"""A prepared statement does what SQLAlchemy does with it, on each database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mts1b_platform.store import DecimalText, Prepared, Store, UtcText

metadata = sa.MetaData()
things = sa.Table(
    "things",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("amount", DecimalText),
    sa.Column("at", UtcText),
    sa.Column("open", sa.Boolean, nullable=False),
    sa.Column("raw", sa.LargeBinary),
)
INSERT = Prepared(things.insert())
SELECT = Prepared(sa.select(things).where(things.c.name == sa.bindparam("wanted")))
RENAME = Prepared(
    things.update()
    .where(things.c.name == sa.bindparam("old"), things.c.open == sa.true())
    .values(name=sa.bindparam("new"))
)
COUNT = Prepared(sa.select(sa.func.count()).select_from(things))


@pytest.fixture(params=["sqlite", "postgresql"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    target: str | Path = tmp_path / "s.sqlite"
    if request.param == "postgresql":
        target = request.getfixturevalue("postgres_url")
    opened = await Store.open(target, metadata=metadata, name="prepared")
    async with opened.transaction() as tx:
        await tx.execute(sa.delete(things))
    yield opened
    await opened.close()


def thing(name: str = "one", **changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "name": name,
        "amount": Decimal("1.500"),
        "at": datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
        "open": True,
        "raw": b"\x00\xff",
    }
    return values | changes


values = st.fixed_dictionaries(
    {
        "amount": st.none() | st.decimals(allow_nan=False, allow_infinity=False, places=9),
        "at": st.none()
        | st.datetimes(
            min_value=datetime(1990, 1, 1),  # noqa: DTZ001
            timezones=st.sampled_from([UTC, timezone(timedelta(hours=-5))]),
        ),
        "open": st.booleans(),
        "raw": st.none() | st.binary(max_size=20),
    }
)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(row=values)
async def test_what_it_writes_and_reads_is_what_sqlalchemy_does(
    store: Store, row: dict[str, Any]
) -> None:
    async with store.transaction() as tx:
        await tx.execute(sa.delete(things))
        await INSERT.run(tx, {"name": "prepared", **row})
        await tx.execute(things.insert(), {"name": "usual", **row})
        usual = dict((await tx.execute(SELECT.statement, {"wanted": "prepared"})).first()._mapping)
        found = (await SELECT.run(tx, {"wanted": "usual"})).first()._asdict()
    skip = {"id", "name"}
    assert {k: v for k, v in usual.items() if k not in skip} == {
        k: v for k, v in found.items() if k not in skip
    }
    assert type(found["open"]) is bool


async def test_it_is_part_of_the_transaction(store: Store) -> None:
    with pytest.raises(ZeroDivisionError):
        async with store.transaction() as tx:
            await INSERT.run(tx, thing())
            raise ZeroDivisionError
    async with store.read() as connection:
        assert (await COUNT.run(connection)).scalar() == 0


async def test_a_change_says_how_many_rows_it_changed(store: Store) -> None:
    async with store.transaction() as tx:
        await INSERT.run_many(tx, [thing("a"), thing("b", open=False)])
        await INSERT.run_many(tx, [])
        assert (await RENAME.run(tx, {"old": "a", "new": "c"})).rowcount == 1
        assert (await RENAME.run(tx, {"old": "b", "new": "d"})).rowcount == 0
        rows = await SELECT.run(tx, {"wanted": "c"})
        assert [row.name for row in rows] == ["c"]
        assert (await SELECT.run(tx, {"wanted": "a"})).first() is None
        assert (await SELECT.run(tx, {"wanted": "a"})).scalar() is None
        assert len(rows.all()) == 1


async def test_an_upsert_is_one_statement(store: Store) -> None:
    insert = store.insert(things)
    upsert = Prepared(
        insert.on_conflict_do_update(
            index_elements=["name"], set_={"amount": insert.excluded.amount}
        )
    )
    async with store.transaction() as tx:
        await upsert.run(tx, thing(amount=Decimal(1)))
        await upsert.run(tx, thing(amount=Decimal(2)))
        assert (await SELECT.run(tx, {"wanted": "one"})).first().amount == Decimal(2)


async def test_errors_have_sqlalchemys_names(store: Store) -> None:
    broken = Prepared(sa.text("SELECT nothing FROM nowhere"))
    with pytest.raises(sa.exc.IntegrityError, match=r"(?i)unique"):
        async with store.transaction() as tx:
            await INSERT.run(tx, thing())
            await INSERT.run(tx, thing())
    with pytest.raises(sa.exc.IntegrityError):
        async with store.transaction() as tx:
            await INSERT.run_many(tx, [thing(), thing()])
    with pytest.raises(sa.exc.DBAPIError, match="nowhere"):
        async with store.transaction() as tx:
            await broken.run(tx)


async def test_a_missing_parameter_and_a_list_are_refused(store: Store) -> None:
    several = Prepared(sa.select(things).where(things.c.name.in_(["a", "b"])))
    async with store.read() as connection:
        if store.dialect == "sqlite":
            with pytest.raises(TypeError, match="IN list"):
                await several.run(connection)
        with pytest.raises((LookupError, sa.exc.StatementError), match="wanted"):
            await SELECT.run(connection, {})
