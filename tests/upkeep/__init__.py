"""`curri sync-status` and `curri fix-metadata`: the real commands against a Stream on a socket and a PostgreSQL."""
