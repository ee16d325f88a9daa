"""The database: connection, tables, repository of claims, quota ledger, journal, schema."""
