"""The schema of the database, its migrations by way of Alembic, and the rights that it takes."""
