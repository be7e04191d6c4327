"""`python -m engine.server`: an engine with the default settings, for places without the `pincel` command."""

from __future__ import annotations

import sys

from engine.client.errors import PincelError
from engine.server.serve import serve
from engine.server.settings import Settings

if __name__ == "__main__":
    try:
        sys.exit(serve(Settings()))
    except PincelError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_status)
