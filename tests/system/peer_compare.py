#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads every file of two lxcfs as this process and tells where they differ.

usage: peer_compare.py TABLE CONTEXT USED THEIRS OURS

TABLE says which differences there are and why (peer-differences.md), CONTEXT is a
comma-separated list of words for its column "When". The numbers of the rows that were
needed are added to the file USED. Exits 1 if a difference has no row.
"""
import ctypes
import errno
import fnmatch
import mmap
import os
import re
import stat
import sys
import tempfile

ROUNDS = 10  # a difference that is not there in each of them is the time that passed


class Row:
    def __init__(self, number, cells):
        self.number = number
        cells = [cell.strip().replace("`", "").replace("\\|", "|") for cell in cells]
        self.file, self.field, when, self.theirs, self.ours, self.why = cells
        self.when = set(when.split())

    def is_about(self, file, field):
        return fnmatch.fnmatch(file, self.file) and re.fullmatch(self.field, field)


def table(path, context):
    """The rows of a table in Markdown that apply in this context."""
    rows = []
    for number, line in enumerate(open(path), 1):
        if line.startswith("| `"):
            row = Row(number, re.split(r"(?<!\\)\|", line)[1:-1])
            if row.when <= context:
                rows.append(row)
    return rows


def words_by_key(text, separator=None):
    fields = {}
    for line in text.splitlines():
        key, _, rest = line.partition(separator) if separator else line.strip().partition(" ")
        fields[key.strip()] = " ".join(rest.split())
    return fields


def cpuinfo(text):
    """'0 siblings' is what the first CPU in the text has."""
    blocks = [b for b in text.split("\n\n") if b.strip()]
    return {f"{i} {key}": value for i, block in enumerate(blocks)
            for key, value in words_by_key(block, ":").items()}


def cpu_time(text):
    fields = {}
    for key, value in words_by_key(text).items():
        if key.startswith("cpu"):
            names = "user nice system idle iowait irq softirq steal guest guest_nice".split()
            fields.update({f"{key} {n}": v for n, v in zip(names, value.split())})
        else:
            fields[key] = value
    return fields


def columns(*names):
    return lambda text: dict(zip(names, text.replace("/", " ").split()))


def with_header(text):
    """Spaces count in a header; elsewhere only words do."""
    lines = text.splitlines()
    heads = [line for line in lines if line.startswith(("Filename", "slabinfo", "# name"))]
    rest = [line for line in lines if line not in heads]
    fields = words_by_key("\n".join(re.sub(r"\s+", " ", line) for line in rest))
    fields["header"] = "".join(heads).replace("\t", "\\t").replace(" ", "_")
    return fields


def diskstats(text):
    lines = [line.split() for line in text.splitlines()]
    return {words[2]: " ".join(words[:2] + words[3:]) for words in lines}


FORMATS = {
    "proc/cpuinfo": cpuinfo,
    "proc/diskstats": diskstats,
    "proc/loadavg": columns("1 min", "5 min", "15 min", "running", "tasks", "last"),
    "proc/meminfo": lambda text: words_by_key(text, ":"),
    "proc/slabinfo": with_header,
    "proc/stat": cpu_time,
    "proc/swaps": with_header,
    "proc/uptime": columns("age", "idle"),
}


def fields_of(root, file):
    """What a file says, by field; also how it looks to stat(2). Nothing if there is none."""
    path = os.path.join(root, file)
    fields = {}
    try:
        status = os.lstat(path)
        fields["mode"] = oct(status.st_mode)
        fields["links"] = str(status.st_nlink)
        fields["owner"] = f"{status.st_uid} {status.st_gid}"
        fields["size"] = str(status.st_size)
        if stat.S_ISLNK(status.st_mode):
            fields["target"] = os.readlink(path)
            return fields
        with open(path, "rb", buffering=0) as stream:
            pieces = iter(lambda: stream.read(65536), b"")
            text = b"".join(pieces).decode(errors="replace")
        format_of = FORMATS.get(file, lambda text: {"text": " ".join(text.split())})
        fields.update(format_of(text))
    except FileNotFoundError:
        return {}
    except OSError as error:
        fields["error"] = errno.errorcode[error.errno]
    return fields


def is_number(word):
    return re.fullmatch(r"\d+(\.\d+)?", word)


def is_between(value, samples):
    """Every word equal, or a number that lies between those of the samples."""
    if value is None or None in samples:
        return value in samples
    words = value.split()
    alike = [sample.split() for sample in samples if len(sample.split()) == len(words)]
    if not alike:
        return False
    for word, *others in zip(words, *alike):
        if all(map(is_number, (word, *others))):
            if not min(map(float, others)) <= float(word) <= max(map(float, others)):
                return False
        elif word not in others:
            return False
    return True


def differences(theirs, ours):
    """Where ours is not between what theirs was at several times: field -> (theirs, ours)."""
    if not ours or not all(theirs):
        there, here = ("there" if fields else None for fields in (theirs[-1], ours))
        return {"file": (there, here)} if there != here else {}
    return {field: (theirs[-1].get(field), ours.get(field)) for field in {*theirs[-1], *ours}
            if not is_between(ours.get(field), [fields.get(field) for fields in theirs])}


def claim_holds(claim, value, host):
    """Is a value what the table says: of the host, a text, absent (-), or anything (*)?"""
    if claim == "*":
        return True
    if claim == "-":
        return value is None
    if claim == "host":
        return value is not None and is_between(value, host)
    return value is not None and set(value.replace(" kB", "").split()) <= {claim}


class Comparison:
    def __init__(self, rows, theirs, ours):
        self.rows, self.theirs, self.ours = rows, theirs, ours
        self.used = set()
        self.files = self.fields = 0

    def explain(self, file, field, theirs, ours, host):
        for row in self.rows:
            if row.is_about(file, field) and claim_holds(row.theirs, theirs, host) and \
                    claim_holds(row.ours, ours, host):
                return row
        return None

    def read(self, file, host, theirs):
        """The differences of one file that no row explains: field -> what was read."""
        host.append(fields_of("/", file))
        theirs.append(fields_of(self.theirs, file))
        ours = fields_of(self.ours, file)
        theirs.append(fields_of(self.theirs, file))
        host.append(fields_of("/", file))
        unexplained = {}
        for field, (there, here) in sorted(differences(theirs, ours).items()):
            row = self.explain(file, field, there, here, [h.get(field) for h in host])
            if row:
                self.used.add(row.number)
            else:
                unexplained[field] = f"theirs {there!r}, ours {here!r}, " \
                    f"host {host[-1].get(field)!r}"
        self.fields += len(ours)
        return unexplained

    def compare(self, file):
        host, theirs = [], []  # what was read so far
        left = self.read(file, host, theirs)
        for _ in range(ROUNDS - 1):
            if not left:
                break
            again = self.read(file, host, theirs)
            left = {field: again[field] for field in left if field in again}
        for field, what in left.items():
            print(f"{file}: {field}: {what}")
        self.files += 1
        return not left


def files_below(root):
    """Relative paths; a symbolic link is not followed."""
    found = set()
    for directory, directories, names in os.walk(root):
        found.update(os.path.relpath(os.path.join(directory, n), root) for n in names)
    return found


def use_memory():
    """So that the lines of meminfo have something to tell; kept until the process ends."""
    kept = []
    anonymous = mmap.mmap(-1, 16 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    anonymous.madvise(mmap.MADV_HUGEPAGE)
    shared = mmap.mmap(-1, 4 << 20)
    file = tempfile.TemporaryFile(dir=os.environ.get("PEER_DISK", "/var/tmp"))
    file.truncate(8 << 20)
    mapped = mmap.mmap(file.fileno(), 8 << 20)
    locked = mmap.mmap(-1, 1 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for memory in (anonymous, shared, mapped, locked):
        for at in range(0, len(memory), 4096):
            memory[at] = 1
    ctypes.CDLL(None).mlock(ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(locked))),
                            ctypes.c_size_t(len(locked)))
    kept += [anonymous, shared, mapped, locked, file]
    return kept


def main():
    path, context, used, theirs, ours = sys.argv[1:]
    comparison = Comparison(table(path, set(context.split(","))), theirs, ours)
    kept = use_memory()
    if not files_below(theirs) & files_below(ours) >= set(FORMATS):
        sys.exit("there is nothing to compare")
    files = sorted(files_below(theirs) | files_below(ours))
    same = all([comparison.compare(file) for file in files])
    with open(used, "a", encoding="ascii") as out:
        out.writelines(f"{number}\n" for number in comparison.used)
    print(f"{comparison.files} files, {comparison.fields} fields, "
          f"{len(kept)} kinds of memory in use")
    sys.exit(not same)


main()
