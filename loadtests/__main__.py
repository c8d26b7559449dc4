"""`make load`."""

import sys

from loadtests.ratio import main

sys.exit(main())
