"""A gateway worker reduced to its log: writes rows as fast as asked and says each id after `write` has returned."""

import asyncio
import os
import random
import sys
from pathlib import Path

from tests.gateway.logsink.rows import make_row, running_sink


async def write_for_ever(folder: Path, url: str) -> None:
    async with running_sink(folder, url, segment_bytes=20_000) as sink:
        while True:
            for _ in range(random.randrange(20)):
                row = make_row(user_id=random.randrange(5), model=random.choice("abc"))
                sink.write(row)
                os.write(sys.stdout.fileno(), f"{row['id']}\n".encode())
            await asyncio.sleep(0.001)


if __name__ == "__main__":
    asyncio.run(write_for_ever(Path(sys.argv[1]), sys.argv[2]))
