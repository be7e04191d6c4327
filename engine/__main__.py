"""`python -m engine` is `pincel`."""

from engine.cli import main

main()
