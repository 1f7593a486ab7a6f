"""`python -m commonwatch` is the `commonwatch` command."""

import sys

from commonwatch.cli import main

sys.exit(main())
