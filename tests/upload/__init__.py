"""`curri upload` as its users run it: the real command, a real PostgreSQL, and a Stream on a real socket."""
