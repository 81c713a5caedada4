"""`python -m curri`."""

from curri.cli.main import main

main()
