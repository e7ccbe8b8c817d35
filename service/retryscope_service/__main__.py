"""``python -m retryscope_service`` is ``retryscope``."""

import sys

from retryscope_service.cli import main

sys.exit(main())
