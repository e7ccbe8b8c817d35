"""``python -m service`` is ``retryscope``."""

import sys

from service.cli import main

sys.exit(main())
