"""The library of videos: the functions on a real PostgreSQL, the commands against a Stream on a socket."""
