"""One module per command: gather, decide, apply."""
