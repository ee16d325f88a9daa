"""What `recours check` looks at: settings, and a database that may be at fault."""

from recours.database.clock import SystemClock, clock_offset
from recours.database.engine import Database, DatabaseError
from recours.database.schema.inspection import Schema, look, require_claims
from recours.operations.status import Overview
from recours.settings.model import Settings
from recours.wiring.databases import connect, is_to_be_made
from recours.wiring.operations import Operations, operations_over


class CheckContext:
    """What is looked at. The database is tried once: what it says the first time holds for all."""

    def __init__(self, settings: Settings, *, offline: bool) -> None:
        """Connects nowhere yet."""
        self.settings = settings
        self.offline = offline
        self._looked: tuple[Database, Schema] | DatabaseError | None = None
        self._overview: Overview | DatabaseError | None = None

    def database(self) -> tuple[Database, Schema]:
        """The database and what it holds. Raises DatabaseFault."""
        if self._looked is None:
            try:
                database = connect(self.settings)
                schema = look(database)
                require_claims(database, schema)
                self._looked = database, schema
            except DatabaseError as error:
                self._looked = error
        if isinstance(self._looked, DatabaseError):
            raise self._looked
        return self._looked

    def operations(self) -> Operations | None:
        """The desk; None as long as the schema is not current. Raises DatabaseFault."""
        database, schema = self.database()
        if not schema.is_current:
            return None
        return operations_over(self.settings, database, schema, SystemClock(clock_offset(database)))

    def overview(self) -> Overview | None:
        """The state of the system; None as long as it is not known (the check of the database says why)."""
        try:
            return self.read()
        except DatabaseError:
            return None

    def read(self) -> Overview | None:
        """The state of the system; None as long as there is none to be read. Raises DatabaseFault."""
        if self._overview is None and not self.is_new():
            try:
                operations = self.operations()
                self._overview = operations.overview(days=1) if operations else None
            except DatabaseError as error:
                self._overview = error
        if isinstance(self._overview, DatabaseError):
            raise self._overview
        return self._overview

    def is_new(self) -> bool:
        """Tell whether the embedded database is still to be made. Raises DatabaseFault."""
        return is_to_be_made(self.settings)
