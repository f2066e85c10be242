"""`python -m zero_engine.contracts [--check] schemas/ [docs/]`."""

import sys

from zero_engine.contracts.publish import main

sys.exit(main(sys.argv[1:]))
