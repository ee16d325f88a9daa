"""A web shop with a table of disputes of its own, for docs/tutorial.md: `shop.py` creates it, `shop.py show` prints it."""

import enum
import sys
import uuid
from datetime import UTC, datetime, timedelta

from sqlalchemy import (
    Column,
    DateTime,
    Enum,
    MetaData,
    String,
    Table,
    Uuid,
    create_engine,
    insert,
    text,
)

engine = create_engine("sqlite:///shop.db")
metadata = MetaData()


class State(enum.Enum):
    OPEN = "open"
    PAID = "paid"


disputes = Table(
    "disputes",
    metadata,
    Column("id", Uuid, primary_key=True, default=uuid.uuid4),
    Column("reference", String(20), unique=True, nullable=False),
    Column("shipper", String(40), nullable=False),
    Column("parcel", String(40)),
    Column("state", Enum(State), nullable=False, default=State.OPEN),
    Column("answer_by", String(10)),
    Column("opened_at", DateTime, nullable=False),
)


def create() -> None:
    metadata.create_all(engine)
    now = datetime.now(UTC).replace(tzinfo=None)
    answer_by = (now.date() + timedelta(days=20)).isoformat()
    with engine.begin() as connection:
        for n in range(3):
            row: dict[str, object] = {
                "reference": f"D-{1000 + n}",
                "shipper": "CHRONOPOST",
                "parcel": f"XY99000000{n}FR",
            }
            row |= {"answer_by": answer_by, "opened_at": now}
            connection.execute(insert(disputes).values(row))


def show() -> None:
    query = text("SELECT reference, pod_fetch_status, pod_delivery_person, pod_url FROM disputes")
    with engine.connect() as connection:
        for row in connection.execute(query):
            print(*row)  # noqa: T201 (an example for a terminal)


if __name__ == "__main__":
    show() if "show" in sys.argv else create()
