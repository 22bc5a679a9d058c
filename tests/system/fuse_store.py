# SPDX-License-Identifier: LGPL-2.1-or-later
"""systemd's side of the fd store: runs a command as a service that it kills and restarts.

usage: fuse_store.py RESTARTS FILE COMMAND...    (FILE is read all the while)
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time


class Service:
    """A notify socket, what was stored through it, and one run of the command."""

    def __init__(self, command):
        self.command = command
        self.store = {}
        self.ready = threading.Event()
        self.main_pid = 0
        self.dir = tempfile.mkdtemp()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.dir + "/notify")
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            data, fds = socket.recv_fds(self.socket, 4096, 16)[:2]
            words = dict(line.split("=", 1) for line in data.decode().split("\n") if "=" in line)
            if "FDSTORE" in words:
                assert words["FDPOLL"] == "0" and len(fds) == 1, words
                self.store[words["FDNAME"]] = fds[0]
            if "FDSTOREREMOVE" in words and words["FDNAME"] in self.store:
                os.close(self.store.pop(words["FDNAME"]))
            if "MAINPID" in words:
                self.main_pid = int(words["MAINPID"])
            if words.get("READY") == "1":
                self.ready.set()

    def start(self):
        self.ready.clear()
        stored = sorted(self.store.items(), reverse=True)
        # Out of the way of where they go: the first number after the standard three.
        high = [os.dup(fd) for _, fd in stored]

        def place():
            copies = [os.dup(fd) for fd in high]
            for i, fd in enumerate(copies):
                os.dup2(fd, 100 + i)
            for i in range(len(copies)):
                os.dup2(100 + i, 3 + i, inheritable=True)

        env = dict(os.environ, NOTIFY_SOCKET=self.dir + "/notify")
        if stored:
            env.update(LISTEN_FDS=str(len(stored)),
                       LISTEN_FDNAMES=":".join(name for name, _ in stored))
        # sh's own pid becomes the command's: LISTEN_PID has to be that of the process.
        command = ["/bin/sh", "-c", 'LISTEN_PID=$$ exec "$@"', "-", *self.command]
        self.process = subprocess.Popen(command, env=env, close_fds=False, preexec_fn=place,
                                        start_new_session=True)
        for fd in high:
            os.close(fd)
        assert self.ready.wait(20), "it never said READY=1"

    def kill(self):
        """As KillMode=control-group with SIGKILL does it."""
        os.killpg(self.process.pid, signal.SIGSTOP)
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def read_on(path, result, stop):
    fd = os.open(path, os.O_RDONLY)
    while not stop.is_set():
        start = time.monotonic()
        try:
            with open(path, "rb") as f:
                text = f.read()
            if not text or not os.pread(fd, 4096, 0):
                result["failed"] += 1
        except OSError as e:
            result["failed"] += 1
            result["error"] = str(e)
        result["reads"] += 1
        result["longest"] = max(result["longest"], time.monotonic() - start)


def main():
    restarts, path = int(sys.argv[1]), sys.argv[2]
    service = Service(sys.argv[3:])
    service.start()
    stop = threading.Event()
    result = {"reads": 0, "failed": 0, "longest": 0}
    reader = threading.Thread(target=read_on, args=(path, result, stop), daemon=True)
    reader.start()
    names = sorted(service.store)
    for _ in range(restarts):
        service.kill()
        service.start()
        time.sleep(0.02)
        assert service.main_pid == service.process.pid, "MAINPID"
        assert sorted(service.store) == names, "the store changed"
    stop.set()
    reader.join(10)
    print(f"# {restarts} restarts, {len(names)} fds stored, {result}")
    hung = reader.is_alive()
    service.process.send_signal(signal.SIGTERM)
    status = service.process.wait(10)
    time.sleep(0.2)
    assert status == 0 and not service.store, (status, service.store)
    sys.exit(1 if hung or result["failed"] or not result["reads"] else 0)


main()
