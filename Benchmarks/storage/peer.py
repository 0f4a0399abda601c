#!/usr/bin/env python3
"""What the disk and SQLite do: appended writes with fdatasync, and rows in batches of 64.

    peer.py FOLDER SECONDS
"""

import os
import sqlite3
import sys
import time

folder, seconds = sys.argv[1], float(sys.argv[2])
os.makedirs(folder, exist_ok=True)


def count(body):
    """How often `body` runs in the time, a second."""
    began, done = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        body(done)
        done += 1
    return done / (time.perf_counter() - began)


descriptor = os.open(os.path.join(folder, "append"), os.O_CREAT | os.O_WRONLY | os.O_TRUNC)


def append(_):
    os.write(descriptor, b"x" * 16384)
    os.fdatasync(descriptor)


print(f"append of 16 KiB with fdatasync: {1e6 / count(append):.0f} us")

handle = os.open(folder, os.O_RDONLY)


def blob(number):
    path = os.path.join(folder, "blob")
    file = os.open(path + ".new", os.O_CREAT | os.O_WRONLY)
    os.write(file, b"x" * 4096)
    os.fdatasync(file)
    os.close(file)
    os.rename(path + ".new", f"{path}{number}")
    os.fsync(handle)


print(f"blob with rename: {1e6 / count(blob):.0f} us")

path = os.path.join(folder, "sqlite.db")
for name in (path, path + "-wal", path + "-shm"):
    if os.path.exists(name):
        os.unlink(name)
database = sqlite3.connect(path, isolation_level=None)
database.execute("PRAGMA journal_mode=WAL")
database.execute("PRAGMA synchronous=FULL")
database.execute("CREATE TABLE records (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID")
value = bytes(range(200))


def batch(number):
    database.execute("BEGIN")
    database.executemany(
        "INSERT OR REPLACE INTO records VALUES (?, ?)",
        [(f"{(number * 64 + index) * 0x9e3779b97f4a7c15 % 2**64:036x}", value) for index in range(64)])
    database.execute("COMMIT")


print(f"sqlite, keys in no order: {64 * count(batch):.0f} rows/s")

database.execute("CREATE TABLE numbered (id INTEGER PRIMARY KEY, value BLOB)")
rows = [(value,)] * 64


def appended(_):
    database.execute("BEGIN")
    database.executemany("INSERT INTO numbered (value) VALUES (?)", rows)
    database.execute("COMMIT")


print(f"sqlite, appended by number: {64 * count(appended):.0f} rows/s")
