"""`python -m lenscast` is the command `lenscast`."""

import sys

from lenscast.cli import main

sys.exit(main())
