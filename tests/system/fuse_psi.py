# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pressure triggers as a program in a container sets them, and as one that means harm does.

usage: fuse_psi.py MOUNTPOINT PIDFILE    (speaks TAP without a plan; see fuse_psi.sh)
"""

import errno
import os
import pathlib
import select
import signal
import subprocess
import sys
import time

CPU = sys.argv[1] + "/proc/pressure/cpu"
PIDFILE = sys.argv[2]
# Microseconds of stall in a window; without CAP_SYS_RESOURCE windows are multiples of 2 s.
TRIGGER = b"some 1000 2000000\0"
IN_OUT = select.POLLIN | select.POLLOUT | select.POLLRDNORM | select.POLLWRNORM


def keeper():
    return int(pathlib.Path(PIDFILE).read_text(encoding="ascii"))


def worker():
    for _ in range(1000):
        pid = keeper()
        try:
            children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            if children:
                return int(children[0])
        except OSError:
            pass
        time.sleep(0.01)
    raise AssertionError("no worker")


def count(what):
    return len(os.listdir(f"/proc/{worker()}/{what}"))


def arm(text=TRIGGER):
    fd = os.open(CPU, os.O_RDWR)
    try:
        os.write(fd, text)
    except OSError:
        os.close(fd)
        raise
    return fd


def poll(fd, seconds, events=select.POLLPRI):
    p = select.poll()
    p.register(fd, events)
    got = p.poll(seconds * 1000)
    return got[0][1] if got else 0


def fails(number, call):
    try:
        call()
    except OSError as e:
        assert e.errno == number, e
    else:
        raise AssertionError("was allowed")


def check_unarmed():
    fd = os.open(CPU, os.O_RDWR)
    assert poll(fd, 5, select.POLLPRI | IN_OUT) == IN_OUT | select.POLLERR | select.POLLPRI
    os.close(fd)
    fd = os.open(sys.argv[1] + "/proc/meminfo", os.O_RDONLY)
    assert poll(fd, 5, select.POLLPRI | IN_OUT) == IN_OUT
    os.close(fd)


def check_refused():
    for text in (b"junk\0", b"some 5000000 2000000\0", b"x" * 5000, b"some\0"):
        fails(errno.EINVAL, lambda t=text: os.close(arm(t)))
    fd = arm()
    fails(errno.EBUSY, lambda: os.write(fd, TRIGGER))
    os.close(fd)


def check_fires(times=2):
    fd = arm()
    for _ in range(times):
        assert poll(fd, 15) == select.POLLPRI
    os.close(fd)


def check_survives(end):
    """A poller that sleeps while the worker ends is woken by the next one."""
    fd = arm()
    assert poll(fd, 15) == select.POLLPRI
    for _ in range(3):
        before = worker()
        pid = os.fork()
        if pid == 0:
            os._exit(0 if poll(fd, 20) == select.POLLPRI else 1)
        time.sleep(0.1)
        end()
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        for _ in range(500):
            if worker() != before:
                break
            time.sleep(0.01)
    os.close(fd)


def check_closed_at_once():
    before = count("fd")
    for _ in range(500):
        os.close(arm())
    fds = [arm() for _ in range(50)]
    for fd in fds:
        poll(fd, 0)
        os.close(fd)
    time.sleep(0.2)
    assert count("fd") <= before + 2, (before, count("fd"))


def check_crowd():
    """128 per pid namespace, and each child of many polls one of them; no thread for any."""
    threads = count("task")
    fds = [arm() for _ in range(128)]
    fails(errno.ENOSPC, arm)
    assert count("task") == threads
    children = []
    for i in range(256):
        pid = os.fork()
        if pid == 0:
            os._exit(0 if poll(fds[i % 128], 30) & select.POLLPRI else 1)
        children.append(pid)
    # One event wakes one poller of a file, as with the kernel's own; the rest is killed.
    time.sleep(4)
    done = 0
    for pid in children:
        os.kill(pid, signal.SIGKILL)
        done += os.waitpid(pid, 0)[1] == 0
    assert done >= 128, done
    for fd in fds:
        os.close(fd)
    time.sleep(0.2)
    os.close(arm())


def run(what, function, *args):
    try:
        function(*args)
        print("ok -", what, flush=True)
        return True
    except Exception as e:  # every failure is a failed test, and the next one still runs
        print(f"not ok - {what}\n# {type(e).__name__}: {e}", flush=True)
        return False


def main():
    spin = [subprocess.Popen([sys.executable, "-c", "while True: pass"])
            for _ in range((os.cpu_count() or 1) + 1)]
    try:
        good = [run(what, function, *args) for what, function, *args in (
            ("poll without a trigger", check_unarmed),
            ("what the kernel refuses is refused", check_refused),
            ("fires", check_fires),
            ("survives a killed worker", check_survives,
             lambda: os.kill(worker(), signal.SIGKILL)),
            ("survives an upgrade", check_survives, lambda: os.kill(keeper(), signal.SIGUSR1)),
            ("opened, armed and closed at once", check_closed_at_once),
            ("hundreds of pollers", check_crowd),
        )]
    finally:
        for p in spin:
            p.kill()
            p.wait()
    sys.exit(0 if all(good) else 1)


main()
