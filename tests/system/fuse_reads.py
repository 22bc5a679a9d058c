# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads in every way that programs do, and checks that each gives what one look gives.

usage: fuse_reads.py MOUNTPOINT    (speaks TAP without a plan; see fuse_reads.sh)
"""

import ctypes
import errno
import os
import pathlib
import re
import stat
import subprocess
import sys
import threading
import time

MOUNT = sys.argv[1]
SYS_CPU = MOUNT + "/sys/devices/system/cpu"
THREADS = 4000  # whose numbers fill more than one request of 16 KiB


def whole(path):
    with open(path, "rb", buffering=0) as f:
        return f.read(1 << 20)


def shape(text):
    return re.sub(rb"[ \t]+", b" ", re.sub(rb"\d+", b"0", text))


def pieces(path, size):
    fd = os.open(path, os.O_RDONLY)
    try:
        parts = []
        while part := os.read(fd, size):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(fd)


def cgroup_of_ours():
    """A cgroup below ours that lists threads: its real directory and its place in the view."""
    lines = pathlib.Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines()
    mounts = pathlib.Path("/proc/self/mounts").read_text(encoding="ascii").splitlines()
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and controllers != "pids":
            continue
        for mount in (m.split() for m in mounts):
            fits = mount[2] == "cgroup2" if not controllers else (
                mount[2] == "cgroup" and controllers in mount[3].split(","))
            if fits:
                name = f"{path.rstrip('/')}/lxcfs-reads-{os.getpid()}"
                yield pathlib.Path(mount[1] + name), name, bool(controllers)


def view_of(name, file):
    """The same cgroup below the mount, in whichever hierarchy has it."""
    for top in sorted(os.listdir(MOUNT + "/cgroup")):
        path = f"{MOUNT}/cgroup/{top}{name}/{file}"
        if os.path.exists(path):
            return path
    return None


CROWD = """
import sys, threading
threading.stack_size(65536)
for _ in range(int(sys.argv[1])):
    threading.Thread(target=sys.stdin.readline, daemon=True).start()
print("ready", flush=True)
threading.Event().wait()
"""


class Crowd:
    """A cgroup with so many threads that their list is longer than a request carries."""

    def __enter__(self):
        self.path = self.proc = self.made = None
        for directory, name, v1 in cgroup_of_ours():
            directory.mkdir()
            self.made = directory
            self.proc = subprocess.Popen([sys.executable, "-c", CROWD, str(THREADS)],
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            (directory / "cgroup.procs").write_text(str(self.proc.pid), encoding="ascii")
            self.proc.stdout.readline()
            self.path = view_of(name, "tasks" if v1 else "cgroup.threads")
            break
        return self

    def __exit__(self, *_):
        if self.proc:
            self.proc.kill()
            self.proc.wait()
        for _ in range(200):
            try:
                self.made.rmdir()
                break
            except OSError:
                time.sleep(0.05)


def check_pieces():
    for name in ("cpuinfo", "meminfo", "stat", "uptime", "loadavg"):
        path = f"{MOUNT}/proc/{name}"
        for size in (1, 3, 100, 511, 1024, 4096, 32768):
            got = pieces(path, size)
            assert shape(got) == shape(whole(path)), (name, size)


def check_seeking_in_directories():
    """From any offset on there are whole names, those of the directory and no others."""
    getdents = ctypes.CDLL(None, use_errno=True).getdents64
    for path in (MOUNT + "/proc", SYS_CPU):
        names = {os.fsencode(name) for name in os.listdir(path)} | {b".", b".."}
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        buf = ctypes.create_string_buffer(32768)
        for offset in (*range(600), 1000, 1 << 20, 7, (1 << 62) + 1):
            os.lseek(fd, 0, os.SEEK_SET)  # so that the listing is a kept one
            assert getdents(fd, buf, 64) > 0
            os.lseek(fd, offset, os.SEEK_SET)
            size = getdents(fd, buf, len(buf))
            assert size >= 0, (path, offset, os.strerror(ctypes.get_errno()))
            at = 0
            while at < size:
                length = int.from_bytes(buf.raw[at + 16:at + 18], "little")
                name = buf.raw[at + 19:at + length].split(b"\0")[0]
                assert name in names, (path, offset, name)
                at += length
        os.close(fd)


def check_one_moment():
    """Pieces of one open file are of one text, however slowly they are taken."""
    fd = os.open(MOUNT + "/proc/uptime", os.O_RDONLY)
    first = os.read(fd, 1)
    time.sleep(0.05)
    now = whole(MOUNT + "/proc/uptime")
    rest = os.read(fd, 100)
    os.close(fd)
    assert float((first + rest).split()[0]) < float(now.split()[0])


def check_rewind():
    fd = os.open(MOUNT + "/proc/uptime", os.O_RDONLY)
    seen = []
    for _ in range(5):
        os.lseek(fd, 0, os.SEEK_SET)
        seen.append(float(os.read(fd, 100).split()[0]))
        assert os.read(fd, 100) == b""
        time.sleep(0.02)
    os.close(fd)
    assert seen == sorted(seen) and len(set(seen)) == 5, seen


def check_offsets():
    path = SYS_CPU + "/present"
    text = whole(path)
    fd = os.open(path, os.O_RDONLY)
    assert os.pread(fd, 100, 1) == text[1:]  # before any read at 0
    assert os.pread(fd, 1, 0) == text[:1]
    assert os.pread(fd, 100, len(text)) == b""
    assert os.pread(fd, 100, len(text) + 1) == b""
    assert os.pread(fd, 100, 1 << 40) == b""
    assert os.pread(fd, 100, 2) == text[2:]  # again, after the end was seen
    os.close(fd)
    out = subprocess.run(["dd", f"if={path}", "bs=1", "skip=1", "status=none"],
                         capture_output=True, check=True).stdout
    assert out == text[1:]


def check_readv():
    path = SYS_CPU + "/kernel_max"
    fd = os.open(path, os.O_RDONLY)
    parts = [bytearray(1), bytearray(2), bytearray(100)]
    n = os.readv(fd, parts)
    assert b"".join(parts)[:n] == whole(path)
    assert os.readv(fd, parts) == 0
    os.close(fd)


def check_threads():
    """One fd and many fds, by many threads at once."""
    path = SYS_CPU + "/possible"
    text = whole(path)
    fd = os.open(path, os.O_RDONLY)
    wrong = []

    def work(n):
        for i in range(100):
            at = (n + i) % (len(text) + 1)
            if os.pread(fd, 4096, at) != text[at:] or whole(path) != text:
                wrong.append((n, i))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(16)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    os.close(fd)
    assert not wrong, wrong


def check_big(path):
    text = whole(path)
    assert len(text) > 16384, len(text)
    assert text.count(b"\n") >= THREADS
    assert len(set(text.split())) == text.count(b"\n"), "a line twice, or torn"
    for size in (1000, 4096, 16384, 32768, 65536):
        assert pieces(path, size) == text, size
    fd = os.open(path, os.O_RDONLY)
    assert os.pread(fd, 32768, 16000) == text[16000:16000 + 32768]
    parts = [bytearray(5000), bytearray(20000), bytearray(70000)]
    n = os.preadv(fd, parts, 0)
    assert b"".join(parts)[:n] == text
    os.close(fd)


def check_types():
    for directory, _, _ in os.walk(MOUNT + "/sys"):
        with os.scandir(directory) as entries:
            for e in entries:
                # d_type is set: is_dir() needs no stat, which strace would show.
                mode = os.lstat(e.path).st_mode
                assert e.is_symlink() == stat.S_ISLNK(mode), e.path
                assert e.is_dir(follow_symlinks=False) == stat.S_ISDIR(mode), e.path
                assert e.inode() == os.lstat(e.path).st_ino, e.path


def check_modes():
    for name in os.listdir(MOUNT + "/proc"):
        st = os.lstat(f"{MOUNT}/proc/{name}")
        real = os.lstat("/proc/" + name)
        assert st.st_size == 0, name
        assert stat.S_IFMT(st.st_mode) == stat.S_IFMT(real.st_mode), name
    assert os.statvfs(MOUNT).f_namemax == 255


def refused(call, *numbers):
    try:
        call()
    except OSError as e:
        assert e.errno in numbers, e
    else:
        raise AssertionError("was allowed")


def check_changes():
    """Nothing outside of the cgroup tree can be changed, not even by root."""
    path = MOUNT + "/proc/meminfo"
    no = (errno.EPERM, errno.EACCES, errno.EIO, errno.ENOSYS, errno.EINVAL)
    refused(lambda: os.mkdir(MOUNT + "/proc/new"), *no)
    refused(lambda: os.rmdir(MOUNT + "/proc/pressure"), *no)
    refused(lambda: os.chmod(path, 0o777), *no)
    refused(lambda: os.chown(path, 1, 1), *no)
    refused(lambda: os.rename(path, path + "2"), *no)
    refused(lambda: os.unlink(path), *no)
    refused(lambda: os.symlink("a", MOUNT + "/proc/link"), *no)
    refused(lambda: os.open(MOUNT + "/proc/new", os.O_CREAT | os.O_RDWR), *no)
    refused(lambda: open(MOUNT + "/nothing", "rb"), errno.ENOENT)


def check_many_open():
    """More files half read than texts are kept: each still ends right."""
    path = SYS_CPU + "/present"
    text = whole(path)
    fds = [os.open(path, os.O_RDONLY) for _ in range(900)]
    for fd in fds:
        assert os.read(fd, 1) == text[:1]
    for fd in fds:
        assert os.read(fd, 100) == text[1:]
        assert os.read(fd, 100) == b""
        os.close(fd)


def run(what, function, *args):
    try:
        function(*args)
        print("ok -", what)
        return True
    except Exception as e:  # every failure is a failed test, and the next one still runs
        print(f"not ok - {what}\n# {type(e).__name__}: {e}")
        return False


def main():
    good = [run(what, function) for what, function in (
        ("pieces of any size", check_pieces),
        ("pieces are of one moment", check_one_moment),
        ("a rewound fd looks anew", check_rewind),
        ("any offset, dd skip=", check_offsets),
        ("readv", check_readv),
        ("threads at once", check_threads),
        ("d_type and inodes", check_types),
        ("any offset in a directory", check_seeking_in_directories),
        ("types, sizes, statfs", check_modes),
        ("nothing can be changed", check_changes),
        ("900 half-read files", check_many_open),
    )]
    with Crowd() as crowd:
        if crowd.path:
            good.append(run("a text longer than a request", check_big, crowd.path))
        else:
            print("ok - a text longer than a request # SKIP no cgroup to make one in")
    sys.exit(0 if all(good) else 1)


main()
