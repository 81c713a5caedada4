"""The tree: what is on disk, and what it means."""
