"""What the next run leaves alone, for all who look at claims without a run."""

from dataclasses import replace

from recours.database.engine import Database
from recours.database.reach import Reach, reach_of
from recours.database.schema.inspection import Schema
from recours.database.schema.newer import count_unknown, newer_words
from recours.database.schema.widening import TOO_LARGE, count_beyond, is_large, left_narrow
from recours.operations.records import LeftAlone


def reach_of_next_run(database: Database, schema: Schema) -> Reach:
    """Which claims the next run may work on: it first widens tables that are small. Raises DatabaseFault."""
    reach = reach_of(schema)
    if reach.highest_id is None:
        return reach
    with database.read() as connection:
        is_narrow = is_large(connection, schema)
    return reach if is_narrow else replace(reach, highest_id=None)


def left_alone(database: Database, schema: Schema) -> LeftAlone:
    """What is beyond that reach, in the words of a run's log. Raises DatabaseFault."""
    reach, count, remarks = reach_of_next_run(database, schema), 0, []
    if reach.only_known:
        counts = count_unknown(database)
        count += counts["claim"]
        remarks.append(newer_words(schema, counts))
    if reach.highest_id is not None:
        count += count_beyond(database)
        remarks += left_narrow(database, schema, TOO_LARGE)
    return LeftAlone(count, tuple(remarks))
