"""Let ``python -m infoplane`` be the command line."""

from infoplane.cli import main

main()
