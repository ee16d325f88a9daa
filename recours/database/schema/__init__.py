"""The database schema, its Alembic migrations, and the database rights that a run needs."""
