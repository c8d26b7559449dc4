"""Runs the embedded servers on a folder until it is killed: the parent whose death the tests look at."""

import json
import os
import sys
import time
from pathlib import Path

from guardflow.embedded import postgres, valkey


def main() -> None:
    data = Path(sys.argv[1])
    with postgres(data) as database, valkey(data) as store:
        sys.stdout.write(json.dumps({"uid": os.geteuid(), "database": database, "store": store}) + "\n")
        sys.stdout.flush()
        time.sleep(600)


if __name__ == "__main__":
    main()
