"""`python -m kancli` is `kan-run`."""

import sys

from kancli.cli.dispatch import main

if __name__ == "__main__":
    sys.exit(main())
