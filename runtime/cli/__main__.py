"""`python -m tickwire.runtime.cli`, for where the entry point is not on PATH."""

import sys

from tickwire.runtime.cli import main

if __name__ == "__main__":
    sys.exit(main())
