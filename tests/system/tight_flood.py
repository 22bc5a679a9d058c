# SPDX-License-Identifier: LGPL-2.1-or-later
"""Opens very many files and directories and holds them in the middle of being read.

usage: tight_flood.py MOUNTPOINT COUNT GO DONE
Makes the file GO when all are held, and ends when the file DONE is there.
"""

import os
import pathlib
import resource
import sys
import time

view, count = sys.argv[1], int(sys.argv[2])
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
paths = [f"{view}/proc/{name}" for name in ("stat", "meminfo", "cpuinfo")]
held = []
for i in range(min(count, hard - 100)):
    if i % 10 == 9:
        held.append(os.open(view + "/proc", os.O_RDONLY | os.O_DIRECTORY))
        continue
    held.append(os.open(paths[i % 3], os.O_RDONLY))
    os.read(held[-1], 7)
print(len(held), "files held")
pathlib.Path(sys.argv[3]).touch()
while not os.path.exists(sys.argv[4]):
    time.sleep(0.05)
