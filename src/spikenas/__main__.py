"""`python -m spikenas`."""

from spikenas.cli import main

main()
