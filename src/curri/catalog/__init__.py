"""The catalog: tables, database, reading and writing."""
