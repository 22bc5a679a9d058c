# SPDX-License-Identifier: LGPL-2.1-or-later
"""The servers that are measured and the container that reads from them."""
import glob
import os
import re
import signal
import subprocess
import tempfile
import time

TICK_US = 1000000 // os.sysconf("SC_CLK_TCK")


class Box:
    """A container's cgroups: three deep, with limits, in every hierarchy that counts."""

    def __init__(self):
        name = f"lxcfs-bench-{os.getpid()}"
        v1 = [d for d in ("memory", "cpu", "cpuacct", "cpuset", "blkio")
              if os.path.isdir("/sys/fs/cgroup/" + d)]
        self.tops = [f"/sys/fs/cgroup/{d}/{name}" for d in v1] or ["/sys/fs/cgroup/" + name]
        for top in self.tops:
            for level in (top, top + "/pod", top + "/pod/box", top + "/crowd"):
                os.makedirs(level, exist_ok=True)
                self._prepare(level)
        self._put("memory.limit_in_bytes", "memory.max", 256 << 20)
        self._put("cpu.cfs_quota_us", "cpu.max", 200000)

    @staticmethod
    def _prepare(level):
        """What is below may use what is above."""
        for name in ("cpuset.cpus", "cpuset.mems"):
            if os.path.exists(f"{level}/{name}") and not os.path.exists(level + "/cgroup.type"):
                with open(f"{os.path.dirname(level)}/{name}", encoding="ascii") as above, \
                        open(f"{level}/{name}", "w", encoding="ascii") as own:
                    own.write(above.read())
        if os.path.exists(level + "/cgroup.clone_children"):
            with open(level + "/cgroup.clone_children", "w", encoding="ascii") as clone:
                clone.write("1")
        if os.path.exists(level + "/cgroup.subtree_control") and not level.endswith("box"):
            with open(level + "/cgroup.controllers", encoding="ascii") as all_, \
                    open(level + "/cgroup.subtree_control", "w", encoding="ascii") as control:
                control.write(" ".join("+" + c for c in all_.read().split()))

    def _put(self, v1, v2, value):
        for top in self.tops:
            for name in (v1, v2):
                if os.path.exists(f"{top}/pod/box/{name}"):
                    with open(f"{top}/pod/box/{name}", "w", encoding="ascii") as file:
                        file.write(str(value))

    def _join(self):
        for top in self.tops:
            with open(top + "/pod/box/cgroup.procs", "w", encoding="ascii") as procs:
                procs.write("0")

    def run(self, command):
        # The child joins by itself, as a container engine's does.
        return subprocess.run(command, preexec_fn=self._join, check=True, text=True,  # pylint: disable=W1509
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120).stdout

    def crowds(self):
        return [top + "/crowd" for top in self.tops]

    def remove(self):
        for top in self.tops:
            for level in (top + "/pod/box", top + "/pod", top + "/crowd", top):
                try:
                    os.rmdir(level)
                except OSError as error:
                    print(f"bench: {error}")


class Server:
    def __init__(self, name, mountpoint, command, flat=False, env=None):
        self.name, self.mountpoint, self.flat = name, mountpoint, flat
        os.mkdir(mountpoint)
        self.process = subprocess.Popen(command + [mountpoint], stderr=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, env=env)
        deadline = time.monotonic() + 20
        while not os.path.exists(self.path("proc/meminfo")):
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise SystemExit(f"bench: {name} does not start")
            time.sleep(0.02)

    def path(self, file):
        return f"{self.mountpoint}/{file.replace('/', '.') if self.flat else file}"

    def pids(self):
        """The process and its children."""
        found = [self.process.pid]
        for pid in found:
            for children in glob.glob(f"/proc/{pid}/task/*/children"):
                with open(children, encoding="ascii") as file:
                    found += map(int, file.read().split())
        return found

    def cpu_us(self):
        """User and system time; from the scheduler's clock, which counts nanoseconds."""
        total = 0
        for pid in self.pids():
            for task in glob.glob(f"/proc/{pid}/task/*/schedstat"):
                with open(task, encoding="ascii") as file:
                    total += int(file.read().split()[0])
        return total / 1000

    def memory_kb(self):
        """Of all processes, what they share counted once."""
        total = 0
        for pid in self.pids():
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
                total += int(re.search(r"^Pss: *(\d+)", file.read(), re.M).group(1))
        return total

    def files(self):
        return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in self.pids())

    def idle_ms(self, seconds):
        """CPU time that passes in a second in which nobody reads."""
        time.sleep(1)
        before = self.cpu_us()
        time.sleep(seconds)
        return (self.cpu_us() - before) / 1000 / seconds

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        subprocess.run(["umount", "-l", self.mountpoint], stderr=subprocess.DEVNULL, check=False)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()


class Crowd:
    """Many containers that read in turn; they end with the with statement."""

    def __init__(self, tools, box, count, rounds, path):
        self.process = subprocess.Popen(
            [tools + "/crowd", str(count), str(rounds), path, *box.crowds()],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def line(self):
        words = self.process.stdout.readline().split()
        if len(words) != 6:
            raise SystemExit("bench: the crowd failed")
        return {"first": float(words[1]), "first_p99": float(words[2]),
                "again": float(words[4]), "again_p99": float(words[5])}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()


def system_calls(server, work):
    """How many the server makes while this is done."""
    with tempfile.NamedTemporaryFile("r") as out:
        trace = subprocess.Popen(["strace", "-f", "-c", "-o", out.name] +
                                 [a for pid in server.pids() for a in ("-p", str(pid))],
                                 stderr=subprocess.PIPE, text=True)
        for line in trace.stderr:
            if "attached" in line:
                break
        time.sleep(0.5)
        work()
        time.sleep(0.2)
        trace.send_signal(signal.SIGINT)
        trace.communicate()
        total = out.read().strip().splitlines()[-1]
    return int(total.split()[3])  # % time, seconds, usecs/call, calls, errors if any, "total"


def debian():
    """The directory of Debian's package, unpacked; fetched once."""
    cache = os.path.join(os.environ.get("XDG_CACHE_HOME", "/var/cache"), "lxcfs-test")
    os.makedirs(cache, exist_ok=True)
    if not glob.glob(cache + "/lxcfs_5*.deb"):
        subprocess.run(["apt-get", "download", "-q", "lxcfs"], cwd=cache, check=True,
                       stdout=subprocess.DEVNULL)
    if not os.path.exists(cache + "/x/usr/bin/lxcfs"):
        package = glob.glob(cache + "/lxcfs_5*.deb")[0]
        subprocess.run(["dpkg", "-x", package, cache + "/x"], check=True)
    return cache + "/x"


def start_all(options, directory, box, files):
    def peer(name, program, library):
        env = dict(os.environ, LD_LIBRARY_PATH=library)
        return Server(name, f"{directory}/{name}",
                      [program, "-f", "-l", "-p", f"{directory}/{name}.pid"], env=env)

    ours = Server("lxcfs", directory + "/lxcfs",
                  [options.build + "/lxcfs", "-f", "-l", "-p", directory + "/pid"])
    os.mkdir(directory + "/texts")
    for file in files:
        with open(f"{directory}/texts/{file.replace('/', '.')}", "w", encoding="utf-8") as text:
            text.write(box.run(["unshare", "-pf", "cat", ours.path(file)]))
    floor = Server("floor", directory + "/floor",
                   [options.build + "/tests/bench/floor", directory + "/texts"], flat=True)
    root = debian()
    all_ = [floor, ours, peer("debian", root + "/usr/bin/lxcfs",
                              root + "/usr/lib/x86_64-linux-gnu/lxcfs")]
    if options.other:
        all_.append(peer("other", options.other, os.path.dirname(options.other)))
    return all_


def stop_all(all_):
    for server in all_:
        server.stop()
