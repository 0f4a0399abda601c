"""Guests that take long in every way that there is; see `overshoot`.

A case is a module (text, or a function that writes a binary one), with what it needs around it.
Guests that end by themselves are no cases: each does what it does again and again.
"""

import os
import subprocess

IMPORTS = {
    "args_get": "i32 i32", "clock_time_get": "i32 i64 i32", "environ_get": "i32 i32",
    "fd_advise": "i32 i64 i64 i32", "fd_allocate": "i32 i64 i64", "fd_close": "i32",
    "fd_datasync": "i32", "fd_fdstat_get": "i32 i32", "fd_filestat_set_size": "i32 i64",
    "fd_pread": "i32 i32 i32 i64 i32", "fd_pwrite": "i32 i32 i32 i64 i32",
    "fd_read": "i32 i32 i32 i32", "fd_readdir": "i32 i32 i32 i64 i32",
    "fd_renumber": "i32 i32", "fd_seek": "i32 i64 i32 i32", "fd_sync": "i32",
    "fd_write": "i32 i32 i32 i32", "path_create_directory": "i32 i32 i32",
    "path_filestat_get": "i32 i32 i32 i32 i32",
    "path_open": "i32 i32 i32 i32 i32 i64 i64 i32 i32", "path_unlink_file": "i32 i32 i32",
    "poll_oneoff": "i32 i32 i32 i32", "random_get": "i32 i32", "sched_yield": "",
    "sock_accept": "i32 i32 i32", "sock_recv": "i32 i32 i32 i32 i32 i32",
    "sock_send": "i32 i32 i32 i32 i32",
}


class Case:
    def __init__(self, group, name, module, options=(), prepare=None, stdin=None, stdout=None,
                 file=None, note="", timeout=None):
        self.group, self.name, self.module, self.options = group, name, module, list(options)
        self.prepare, self.stdin, self.stdout, self.file = prepare, stdin, stdout, file
        self.note = note
        # Milliseconds, where the usual deadline would come too late.
        self.timeout = timeout

    def write(self, folder, wasmd):
        """Puts the module and what it needs into `folder`; returns the file to run."""
        if self.prepare:
            self.prepare(folder)
        if self.module is None:
            return self.file
        content = self.module() if callable(self.module) else self.module
        if isinstance(content, str):
            # Unless the text itself is what takes long, it is made binary before.
            name = self.file or "module.wat"
            with open(os.path.join(folder, name), "w") as file:
                file.write(content)
            if self.file:
                return name
            command = [wasmd, "wat2wasm", "-o", "module.wasm", name]
            subprocess.run(command, cwd=folder, check=True)
            return "module.wasm"
        with open(os.path.join(folder, "module.wasm"), "wb") as file:
            file.write(content)
        return "module.wasm"


# MARK: Modules


def guest(fields, start, pages=1):
    return f'(module (memory (export "memory") {pages}) {fields} (func (export "_start") {start}))'


def forever(body, locals=""):
    """`body` again and again; a branch to $forever begins anew."""
    return f"{locals} (loop $forever {body} (br $forever))"


def calls(names, fields, start, pages=1):
    """A guest of WASI with memory 0."""
    imports = "".join(
        f'(import "wasi_snapshot_preview1" "{name}" (func ${name} (param {IMPORTS[name]}) (result i32)))'
        for name in names.split())
    return f'(module {imports} (memory (export "memory") {pages}) {fields} (func (export "_start") {start}))'


# A loop that makes the machine hand out the largest slices of budget.
WARM = """(local $warm i32)
    (loop $warm (br_if $warm (i32.lt_u
      (local.tee $warm (i32.add (local.get $warm) (i32.const 1))) (i32.const 300000))))"""

# Opens "f" in folder 3 to read and write; its number is 4.
OPEN = """(drop (call $path_open (i32.const 3) (i32.const 0) (i32.const 1000) (i32.const 1)
      (i32.const 1) (i64.const 0x1fffffff) (i64.const 0) (i32.const 0) (i32.const 1008)))"""
NAME = '(data (i32.const 1000) "f")'


def vector(address, count):
    """An iovec at 0."""
    return f"(i32.store (i32.const 0) (i32.const {address})) (i32.store (i32.const 4) (i32.const {count}))"


def file_case(name, more, body, prepare=None, pages=1, before="", note=""):
    return Case(
        "files", name, calls("path_open " + more, NAME, OPEN + before + forever(body), pages),
        ["--dir", "d::/"], lambda folder: prepare_folder(folder, prepare), note=note)


def prepare_folder(folder, more=None):
    os.mkdir(os.path.join(folder, "d"))
    if more:
        more(os.path.join(folder, "d"))


def sparse(byte_count):
    def make(folder):
        with open(os.path.join(folder, "f"), "wb") as file:
            file.truncate(byte_count)
    return make


def many_files(count):
    def make(folder):
        for index in range(count):
            open(os.path.join(folder, f"entry-{index:06}"), "w").close()
    return make


def links(folder):
    """40 links that lead through 2,000 components each."""
    os.mkdir(os.path.join(folder, "a"))
    way = "a/../" * 800
    for index in range(39):
        os.symlink(way + f"l{index + 1}", os.path.join(folder, f"l{index}"))
    open(os.path.join(folder, "l39"), "w").close()


def fifo(folder):
    os.mkfifo(os.path.join(folder, "f"))


def leb(number):
    out = bytearray()
    while True:
        byte = number & 0x7F
        number >>= 7
        if number:
            out.append(byte | 0x80)
        else:
            out.append(byte)
            return bytes(out)


def section(number, content):
    return bytes([number]) + leb(len(content)) + content


def items(list):
    return leb(len(list)) + b"".join(list)


def body(code, locals=b"\0"):
    code = locals + code + b"\x0b"
    return leb(len(code)) + code


HEADER = b"\0asm\1\0\0\0"
START = section(7, items([b"\x06_start\0\0"]))


def slow_translation():
    """2.5 million calls of a function with 1,000 parameters and results."""
    count, times = 1000, 2_500_000
    types = items([b"\x60\0\0", b"\x60" + items([b"\x7f"] * count) * 2])
    bodies = items([
        body(b"\x41\0" * count + b"\x10\1" * times + b"\x1a" * count),
        body(b"".join(b"\x20" + leb(index) for index in range(count)))])
    return HEADER + section(1, types) + section(3, items([b"\0", b"\1"])) + START + section(10, bodies)


def large_function():
    """One function as long as there may be."""
    code = b"\x41\1\x41\2\x6a\x1a" * 1_270_000
    return HEADER + section(1, items([b"\x60\0\0"])) + section(3, items([b"\0"])) + START \
        + section(10, items([body(code)]))


def many_functions(count, code):
    def make():
        return HEADER + section(1, items([b"\x60\0\0"])) + section(3, leb(count) + b"\0" * count) \
            + START + section(10, leb(count) + body(code) * count)
    return make


def large_segments():
    """Active segments of 10 million elements and 60 MB."""
    elements = leb(0) + b"\x41\0\x0b" + leb(10_000_000) + b"\0" * 10_000_000
    data = b"\0\x41\0\x0b" + leb(60_000_000) + b"x" * 60_000_000
    return HEADER + section(1, items([b"\x60\0\0"])) + section(3, items([b"\0"])) \
        + section(4, b"\1\x70\0" + leb(10_000_000)) + section(5, b"\1\0" + leb(1000)) + START \
        + section(9, b"\1" + elements) + section(10, items([body(b"\x03\x40\x0c\0\x0b")])) \
        + section(11, b"\1" + data)


def large_text():
    function = "(func " + "(drop (i32.const 1))\n" * 1000 + ")"
    return "(module (func (export \"_start\"))" + function * 3000 + ")"


TREE = """
    (type $node (struct (field (ref null $node)) (field (ref null $node))))
    (func $tree (param i32) (result (ref null $node))
      (if (result (ref null $node)) (local.get 0)
        (then (struct.new $node (call $tree (i32.sub (local.get 0) (i32.const 1)))
          (call $tree (i32.sub (local.get 0) (i32.const 1)))))
        (else (ref.null $node))))
    (global $kept (mut (ref null $node)) (ref.null $node))"""

ARRAYS = """
    (type $bytes (array (mut i8))) (type $longs (array (mut i64))) (type $functions (array (mut funcref)))
    (global $b (mut (ref null $bytes)) (ref.null $bytes))
    (global $l (mut (ref null $longs)) (ref.null $longs))"""

DEEP = """
    (tag $e)
    (func $deep (param i32) (if (local.get 0)
      (then (call $deep (i32.sub (local.get 0) (i32.const 1)))) (else (throw $e))))"""


# MARK: Cases

CASES = [
    Case("code", "a loop", guest("", forever(""))),
    Case("code", "a loop of calls", guest("(func $f)", forever("(call $f)"))),
    Case("code", "recursion", guest(
        "(func $f (param i32) (if (local.get 0) (then (call $f (i32.sub (local.get 0) (i32.const 1))))))",
        forever("(call $f (i32.const 100000))"))),
    Case("code", "tail calls", guest("(func $f (return_call $f))", "(call $f)")),
    Case("code", "call_indirect", guest(
        "(type $t (func)) (table funcref (elem $f)) (func $f)",
        forever("(call_indirect (type $t) (i32.const 0))"))),
    Case("code", "straight code on cold memory", guest("", forever(60 * """
        (local.set $i (i32.load (i32.and (i32.const 0x3ffffff)
          (i32.add (i32.const 12345678) (i32.mul (local.get $i) (i32.const 1664525))))))
        (i32.store (local.get $i) (local.get $i))""", "(local $i i32)"), 1024)),
    Case("code", "divisions without a branch", guest("", forever(
        3000 * "(local.set $i (i64.div_u (local.get $i) (i64.const 7)))", "(local $i i64)"))),
    Case("code", "exceptions over 100,000 frames", guest(DEEP, forever(
        "(block $h (try_table (catch $e $h) (call $deep (i32.const 100000))))"))),
    Case("code", "the deepest stack", guest(
        "(func $f (param i32) (result i32) (loop $l (br_if $l (local.get 0))) (i32.add (call $f (i32.const 0)) (i32.const 1)))"
        "(func $g (param i32) (if (local.get 0) (then (call $g (i32.sub (local.get 0) (i32.const 1)))) (else (loop $l (br $l)))))",
        "(call $g (i32.const 250000))")),

    Case("bulk operations", "memory.fill of 4 GiB", guest("", forever(
        "(memory.fill (i32.const 0) (i32.const 1) (i32.const 0xfffe0000))"), 65535)),
    Case("bulk operations", "memory.copy of 1 GiB", guest("", forever(
        "(memory.copy (i32.const 1) (i32.const 0) (i32.const 0x3fffffff))"), 16384)),
    Case("bulk operations", "memory.copy of 60 KiB", guest("", forever(
        "(memory.copy (i32.const 0) (i32.const 0x1000000) (i32.const 61440))"), 1024)),
    Case("bulk operations", "memory.init of 16 MB", guest(
        '(data $d "' + "0123456789abcdef" * 1_000_000 + '")', forever(
            "(memory.init $d (i32.const 0) (i32.const 0) (i32.const 16000000))"), 256)),
    Case("bulk operations", "memory.grow to 4 GiB, page by page", guest("", forever(
        "(drop (memory.grow (i32.const 1)))"))),
    Case("bulk operations", "table.fill of 80 MB", guest(
        "(table 10000000 funcref)", forever(
            "(table.fill (i32.const 0) (ref.null func) (i32.const 10000000))"))),
    Case("bulk operations", "table.copy of 80 MB", guest(
        "(table 10000000 funcref)", forever(
            "(table.copy (i32.const 1) (i32.const 0) (i32.const 9999999))"))),
    Case("bulk operations", "table.grow of 12 tables by 80 MB", guest(
        "".join(f"(table $t{n} 0 funcref)" for n in range(12)),
        "".join(f"(drop (table.grow $t{n} (ref.null func) (i32.const 10000000)))" for n in range(12))
        + forever(""))),
    Case("bulk operations", "table.init of a million", guest(
        "(table 1000000 funcref) (func $f) (elem $e func " + "$f " * 1_000_000 + ")", forever(
            "(table.init $e (i32.const 0) (i32.const 0) (i32.const 1000000))"))),

    Case("objects", "array.new of 400 MB", guest(ARRAYS, forever(
        "(drop (array.new $longs (i64.const 7) (i32.const 50000000)))"))),
    Case("objects", "array.new_default of 1 MB", guest(ARRAYS, forever(
        "(drop (array.new_default $bytes (i32.const 1000000)))"))),
    Case("objects", "array.fill of 400 MB", guest(ARRAYS,
        "(global.set $l (array.new_default $longs (i32.const 50000000)))" + forever(
            "(array.fill $longs (global.get $l) (i32.const 0) (i64.const 3) (i32.const 50000000))"))),
    Case("objects", "array.copy of 400 MB", guest(ARRAYS,
        "(global.set $l (array.new_default $longs (i32.const 50000000)))" + forever(
            "(array.copy $longs $longs (global.get $l) (i32.const 1) (global.get $l) (i32.const 0) (i32.const 49999999))"))),
    Case("objects", "array.new_data of 16 MB", guest(
        ARRAYS + '(data $d "' + "0123456789abcdef" * 1_000_000 + '")', forever(
            "(drop (array.new_data $bytes $d (i32.const 0) (i32.const 16000000)))"))),
    Case("objects", "array.new_elem of a million", guest(
        ARRAYS + "(func $f) (elem $e func " + "$f " * 1_000_000 + ")", forever(
            "(drop (array.new_elem $functions $e (i32.const 0) (i32.const 1000000)))"))),
    Case("objects", "collections with 200 MB alive", guest(TREE,
        "(global.set $kept (call $tree (i32.const 21)))" + forever(
            "(drop (call $tree (i32.const 18)))"))),
    Case("objects", "a list of 10 million objects", guest(TREE, forever("""
        (global.set $kept (struct.new $node (global.get $kept) (ref.null $node)))
        (br_if $forever (i32.lt_u
          (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 10000000)))
        (local.set $i (i32.const 0)) (global.set $kept (ref.null $node))""", "(local $i i32)"))),
    Case("objects", "2 GB of arrays dropped at once", guest(
        ARRAYS + """(type $all (array (mut (ref null $bytes))))
        (global $kept (mut (ref null $all)) (ref.null $all))""",
        "(local $i i32) (global.set $kept (array.new_default $all (i32.const 3000)))" + forever("""
        (array.set $all (global.get $kept) (local.get $i) (array.new_default $bytes (i32.const 700000)))
        (br_if $forever (i32.lt_u
          (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 3000)))
        (local.set $i (i32.const 0)) (global.set $kept (array.new_default $all (i32.const 3000)))"""))),

    Case("waiting", "memory.atomic.wait", '(module (memory (export "memory") 1 1 shared)'
        '(func (export "_start") (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1)))))'),
    Case("waiting", "poll_oneoff for an hour", calls("poll_oneoff",
        "", "(i64.store (i32.const 24) (i64.const 3600000000000)) (i32.store (i32.const 16) (i32.const 1))"
        + forever("(drop (call $poll_oneoff (i32.const 0) (i32.const 100) (i32.const 1) (i32.const 200)))"))),
    Case("waiting", "fd_read of a pipe", calls("fd_read", "", vector(100, 100) + forever(
        "(drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))")), stdin="pipe"),
    Case("waiting", "fd_write to a full pipe", calls("fd_write", "", vector(0, 65536) + forever(
        "(drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))"), 2), stdout="pipe"),
    Case("waiting", "sock_accept", calls("sock_accept", "", forever(
        "(drop (call $sock_accept (i32.const 3) (i32.const 0) (i32.const 8)))")),
        ["--tcplisten", "127.0.0.1:0"]),
    Case("waiting", "opening a FIFO to read", calls("path_open", NAME, """
        (drop (call $path_open (i32.const 3) (i32.const 0) (i32.const 1000) (i32.const 1)
          (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 1008)))"""
        + forever("")), ["--dir", "d::/"], lambda folder: prepare_folder(folder, fifo)),
    Case("waiting", "opening a FIFO to write", calls("path_open", NAME, """
        (drop (call $path_open (i32.const 3) (i32.const 0) (i32.const 1000) (i32.const 1)
          (i32.const 0) (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 1008)))"""
        + forever("")), ["--dir", "d::/"], lambda folder: prepare_folder(folder, fifo)),

    Case("small calls of WASI", "clock_time_get", calls("clock_time_get", "", WARM + forever(
        "(drop (call $clock_time_get (i32.const 1) (i64.const 0) (i32.const 0)))"))),
    Case("small calls of WASI", "sched_yield", calls("sched_yield", "", WARM + forever(
        "(drop (call $sched_yield))"))),
    Case("small calls of WASI", "random_get of 64 KiB", calls("random_get", "", WARM + forever(
        "(drop (call $random_get (i32.const 0) (i32.const 65536)))"))),
    Case("small calls of WASI", "random_get of 64 KiB by call_indirect", calls("random_get",
        "(type $t (func (param i32 i32) (result i32))) (table funcref (elem $random_get))", WARM + forever(
            "(drop (call_indirect (type $t) (i32.const 0) (i32.const 65536) (i32.const 0)))"))),
    Case("small calls of WASI", "fd_write of 64 KiB to a device", calls("fd_write", "",
        WARM + vector(0, 65536) + forever(
            "(drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))"))),
    Case("small calls of WASI", "path_open and fd_close", calls("path_open fd_close", NAME,
        WARM + forever(OPEN + "(drop (call $fd_close (i32.const 4)))")), ["--dir", "d::/"], prepare_folder),
    Case("small calls of WASI", "path_create_directory of a name that exists", calls(
        "path_create_directory", '(data (i32.const 1000) "d")', WARM + forever(
            "(drop (call $path_create_directory (i32.const 3) (i32.const 1000) (i32.const 1)))")),
        ["--dir", ".::/"], prepare_folder),

    Case("large calls of WASI", "random_get of 4 GiB", calls("random_get", "", forever(
        "(drop (call $random_get (i32.const 0) (i32.const 0xfffe0000)))"), 65535)),
    Case("large calls of WASI", "random_get of 4 GiB, seeded", calls("random_get", "", forever(
        "(drop (call $random_get (i32.const 0) (i32.const 0xfffe0000)))"), 65535), ["--deterministic"]),
    Case("large calls of WASI", "poll_oneoff of 16,384 ready descriptors", calls("poll_oneoff", "", """
        (local $i i32) (loop $fill
          (i32.store8 (i32.add (local.get $i) (i32.const 8)) (i32.const 2))
          (i32.store (i32.add (local.get $i) (i32.const 16)) (i32.const 1))
          (br_if $fill (i32.lt_u
            (local.tee $i (i32.add (local.get $i) (i32.const 48))) (i32.const 786432))))"""
        + forever("""(drop (call $poll_oneoff (i32.const 0) (i32.const 1000000) (i32.const 16384)
          (i32.const 2000000)))"""), 32)),
    Case("large calls of WASI", "poll_oneoff of 16,384 clocks", calls("poll_oneoff", "", """
        (local $i i32) (loop $fill
          (i32.store8 (i32.add (local.get $i) (i32.const 16)) (i32.const 1))
          (br_if $fill (i32.lt_u
            (local.tee $i (i32.add (local.get $i) (i32.const 48))) (i32.const 786432))))"""
        + forever("""(drop (call $poll_oneoff (i32.const 0) (i32.const 1000000) (i32.const 16384)
          (i32.const 2000000)))"""), 32)),
    Case("large calls of WASI", "fd_write of 4 GiB to a device", calls("fd_write", "", forever(
        vector(0, 0xFFFE0000) +
        "(drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))"), 65535)),
    Case("large calls of WASI", "fd_read of 4 GiB from a device", calls("fd_read", "", forever(
        vector(65536, 0xFFFD0000) +
        "(drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))"), 65535),
        stdin="/dev/zero"),
    Case("large calls of WASI", "fd_read into 1,000 vectors of 4 MiB", calls("fd_read", "", """
        (local $i i32) (loop $fill
          (i32.store (i32.shl (local.get $i) (i32.const 3)) (i32.const 65536))
          (i32.store offset=4 (i32.shl (local.get $i) (i32.const 3)) (i32.const 0x400000))
          (br_if $fill (i32.lt_u
            (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1000))))""" + forever(
        "(drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1000) (i32.const 8000)))"), 128),
        stdin="/dev/zero"),

    file_case("fd_pread of 2 GiB", "fd_pread", vector(65536, 0x7FF00000) +
        "(drop (call $fd_pread (i32.const 4) (i32.const 0) (i32.const 1) (i64.const 0) (i32.const 8)))",
        sparse(1 << 31), 65535),
    file_case("fd_read of 2 GiB", "fd_read fd_seek", vector(65536, 0x7FF00000) +
        "(drop (call $fd_read (i32.const 4) (i32.const 0) (i32.const 1) (i32.const 8)))"
        "(drop (call $fd_seek (i32.const 4) (i64.const 0) (i32.const 0) (i32.const 16)))",
        sparse(1 << 31), 65535),
    file_case("fd_pwrite of 256 MiB", "fd_pwrite", vector(0, 1 << 28) +
        "(drop (call $fd_pwrite (i32.const 4) (i32.const 0) (i32.const 1) (i64.const 0) (i32.const 8)))",
        pages=4096),
    file_case("fd_write of 256 MiB", "fd_write fd_seek", vector(0, 1 << 28) +
        "(drop (call $fd_write (i32.const 4) (i32.const 0) (i32.const 1) (i32.const 8)))"
        "(drop (call $fd_seek (i32.const 4) (i64.const 0) (i32.const 0) (i32.const 16)))",
        pages=4096),
    file_case("fd_allocate of 1 GiB", "fd_allocate fd_filestat_set_size",
        "(drop (call $fd_allocate (i32.const 4) (i64.const 0) (i64.const 0x40000000)))"
        "(drop (call $fd_filestat_set_size (i32.const 4) (i64.const 0)))"),
    file_case("fd_advise of 8 GiB", "fd_advise",
        "(drop (call $fd_advise (i32.const 4) (i64.const 0) (i64.const 0) (i32.const 3)))",
        sparse(1 << 33)),
    file_case("fd_filestat_set_size, up and down", "fd_filestat_set_size",
        "(drop (call $fd_filestat_set_size (i32.const 4) (i64.const 0x100000000000)))"
        "(drop (call $fd_filestat_set_size (i32.const 4) (i64.const 0)))"),
    file_case("fd_sync after 1 MiB", "fd_pwrite fd_sync", vector(0, 1 << 20) +
        "(drop (call $fd_pwrite (i32.const 4) (i32.const 0) (i32.const 1) (i64.const 0) (i32.const 8)))"
        "(drop (call $fd_sync (i32.const 4)))", pages=16, note="until the disk has written"),
    Case("files", "fd_readdir of 100,000 entries", calls("fd_readdir", "", forever(
        "(drop (call $fd_readdir (i32.const 3) (i32.const 65536) (i32.const 0xff0000) (i64.const 0) (i32.const 8)))"),
        257), ["--dir", "d::/"], lambda folder: prepare_folder(folder, many_files(100_000))),
    Case("files", "path_filestat_get through 40 links of 800 steps", calls("path_filestat_get",
        '(data (i32.const 1000) "l0")', WARM + forever(
            "(drop (call $path_filestat_get (i32.const 3) (i32.const 1) (i32.const 1000) (i32.const 2) (i32.const 0)))")),
        ["--dir", "d::/"], lambda folder: prepare_folder(folder, links)),

    Case("threads", "100 threads in loops", """(module
        (import "env" "memory" (memory 1 100 shared))
        (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
        (func (export "wasi_thread_start") (param i32 i32) (loop $l (br $l)))
        (func (export "_start") (local $i i32)
          (loop $l (drop (call $spawn (i32.const 0)))
            (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 100))))
          (loop $m (br $m))))"""),
    Case("threads", "1,000 threads that wait", """(module
        (import "env" "memory" (memory 1 100 shared))
        (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
        (func (export "wasi_thread_start") (param i32 i32)
          (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1))))
        (func (export "_start") (local $i i32)
          (loop $l (drop (call $spawn (i32.const 0)))
            (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1000))))
          (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1)))))"""),
    Case("threads", "threads that end, again and again", """(module
        (import "env" "memory" (memory 1 100 shared))
        (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
        (func (export "wasi_thread_start") (param i32 i32))
        (func (export "_start") (loop $l (drop (call $spawn (i32.const 0))) (br $l))))"""),

    Case("before the first instruction", "reading a FIFO that nobody opened", None,
        prepare=lambda folder: os.mkfifo(os.path.join(folder, "module.wasm")), file="module.wasm"),
    Case("before the first instruction", "reading a pipe", None, stdin="pipe", file="-"),
    Case("before the first instruction", "standard input from a FIFO that nobody opened",
        calls("sched_yield", "", forever("")), ["--stdin", "pipe"],
        lambda folder: os.mkfifo(os.path.join(folder, "pipe"))),
    Case("before the first instruction", "reading a text of 60 MB", large_text,
        file="module.wat"),
    Case("before the first instruction", "decoding a million functions, within 20 ms",
        many_functions(1_000_000, b""), timeout=20),
    Case("before the first instruction", "validating 90 MB",
        many_functions(900_000, b"\x41\1\x41\2\x6a\x1a" * 16)),
    Case("before the first instruction", "translating 2.5 million calls with 1,000 arguments",
        slow_translation),
    Case("before the first instruction", "translating one function of 7.6 MB",
        large_function),
    Case("before the first instruction", "a constant array of 2 GB", """(module (type $a (array (mut i64)))
        (global (ref $a) (array.new $a (i64.const 5) (i32.const 250000000)))
        (func (export "_start") (loop $l (br $l))))"""),
    Case("before the first instruction", "active segments of 140 MB",
        large_segments),
    Case("before the first instruction", "12 tables of 80 MB", "(module "
        + "".join(f"(table $t{n} 9999999 funcref)" for n in range(12))
        + '(func $f) (elem declare func $f) (func (export "_start") '
        + "".join(f"(table.fill $t{n} (i32.const 0) (ref.func $f) (i32.const 9999999))" for n in range(12))
        + "(loop $l (br $l))))"),
]
