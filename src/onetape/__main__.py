"""`python -m onetape` is the command `onetape`."""

import sys

from onetape.cli.main import main

sys.exit(main())
