"""`python -m signaling` serves, with neither aiortc nor av imported."""

import sys

from signaling.serve import main

sys.exit(main())
