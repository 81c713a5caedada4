"""What `verify_live.py` looks at: facts.py says what a check is, uploads.py and library.py hold them all."""
