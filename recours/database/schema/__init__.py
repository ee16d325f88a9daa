"""The schema of the database: what is there, how it is made, how it is brought up to date."""
