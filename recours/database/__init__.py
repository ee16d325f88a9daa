"""The database: connection, tables, repository of claims, quota store, journal, schema."""
