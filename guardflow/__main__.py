"""`python -m guardflow` is `guardflow`."""

from guardflow.cli import main

main()
