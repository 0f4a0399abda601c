"""Runs engines by turns and makes tables of what they took."""

import math
import os
import re
import shlex
import shutil
import statistics
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.join(HERE, "build")

# {} stands for the file; arguments of the program follow at the end.
KNOWN = {
    "wasm3": "wasm3 {}",
    "wasmi": "wasmi_cli {}",
    "WAMR": "iwasm {}",
    "WasmKit": "wasmkit run {}",
    "wasmtime": "wasmtime run {}",
}

# An engine that takes longer than this for one run is not run again.
PATIENCE = 10.0


class Job:
    """A module with its arguments and its standard input."""

    def __init__(self, path, arguments=(), stdin=None, name=None):
        self.path, self.arguments, self.stdin = path, list(arguments), stdin
        self.name = name or os.path.basename(path).removesuffix(".wasm")


def built(folder):
    """The modules of kernels or vectors, built if a source is newer."""
    output, source = os.path.join(BUILD, folder), os.path.join(HERE, folder)
    names = [n for n in os.listdir(source) if n.endswith(".c")]
    newest = max(os.path.getmtime(os.path.join(source, n)) for n in names + ["build"])
    modules = [os.path.join(output, n) for n in os.listdir(output)] if os.path.isdir(output) else []
    if len(modules) < len(names) or min(map(os.path.getmtime, modules)) < newest:
        subprocess.run([os.path.join(source, "build"), output], check=True, stdout=subprocess.DEVNULL)
    return sorted(os.path.join(output, n) for n in os.listdir(output) if n.endswith(".wasm"))


def programs(folder, is_short):
    """Real programs with the arguments of programs/scales, as far as they are there."""
    jobs = []
    with open(os.path.join(HERE, "programs", "scales")) as file:
        for line in file:
            if line.startswith("#"):
                continue
            name, long, short = line.split()
            path = os.path.join(folder, name + ".wasm")
            stdin = os.path.join(folder, name + ".stdin")
            if os.path.exists(path):
                jobs.append(Job(path, [short if is_short else long], stdin if os.path.exists(stdin) else None))
    return jobs


class Run:
    """What one run of one engine took, and what it printed."""

    def __init__(self, command, job):
        words = [job.path if word == "{}" else word for word in shlex.split(command)]
        stdin = open(job.stdin, "rb") if job.stdin else subprocess.DEVNULL
        began = time.perf_counter()
        process = subprocess.Popen(
            words + job.arguments, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        self.wall = time.perf_counter() - began
        self.cpu = usage.ru_utime + usage.ru_stime
        self.status = process.returncode = os.waitstatus_to_exitcode(status)
        if job.stdin:
            stdin.close()


def engines_on_path(extra=()):
    """Name -> command of every peer that is there, and of those in `extra` (NAME=COMMAND)."""
    found = {n: c for n, c in KNOWN.items() if shutil.which(c.split()[0])}
    found.update(one.split("=", 1) for one in extra)
    return found


def by_turns(job, engines, rounds, measure):
    """Engine -> list of `measure(run)`, one for each round.

    The first engine says what has to be printed; None stands for an engine that fails or prints
    something else.
    """
    results = {name: [] for name in engines}
    slow = set()
    expected = None
    for _ in range(rounds):
        for name, command in engines.items():
            if results[name] is None or name in slow:
                continue
            run = Run(command, job)
            if expected is None:
                expected = (run.status, run.output)
            if (run.status, run.output) != expected:
                results[name] = None
                continue
            results[name].append(measure(run))
            if run.wall > PATIENCE:
                slow.add(name)
    return results


def peak_memory(command, job):
    """KiB of one run; None without GNU time. (Children of a large process start with its peak.)"""
    if not os.access("/usr/bin/time", os.X_OK):
        return None
    words = [job.path if word == "{}" else word for word in shlex.split(command)]
    stdin = open(job.stdin, "rb") if job.stdin else subprocess.DEVNULL
    done = subprocess.run(
        ["/usr/bin/time", "-f", "%M"] + words + job.arguments,
        stdin=stdin, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return int(done.stderr.split()[-1])


class Ratio:
    """How many times as long the others took: ratio of the medians, and how far it spreads.

    The spread is half of what lies between the quartiles of the ratios of single rounds; there is none
    of fewer than three.
    """

    def __init__(self, others, own):
        self.value = statistics.median(others) / max(statistics.median(own), 1e-9)
        rounds = [other / max(mine, 1e-9) for other, mine in zip(others, own)]
        self.spread = None
        if len(rounds) >= 3:
            low, _, high = statistics.quantiles(rounds, n=4)
            self.spread = (high - low) / 2 / self.value

    def __str__(self):
        spread = "" if self.spread is None else f" ±{100 * self.spread:.0f}%"
        return f"{self.value:.2f}{spread}"


def geometric_mean(values):
    return math.exp(statistics.fmean(math.log(value) for value in values)) if values else None


def table(titles, rows):
    """A table in Markdown; the first column is text."""
    lines = ["| " + " | ".join(titles) + " |", "|---" + "|---:" * (len(titles) - 1) + "|"]
    lines += ["| " + " | ".join("" if cell is None else str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def comparison(jobs, engines, rounds, measure=lambda run: run.cpu, progress=None):
    """A table: a row for each job with the first engine's time and how many times as long the others take."""
    own, *others = engines
    rows, ratios = [], {name: [] for name in others}
    for job in jobs:
        times = by_turns(job, engines, rounds, measure)
        if progress:
            progress(job.name)
        if not times[own]:
            rows.append([job.name, "prints something else each time"] + [None] * len(others))
            continue
        row = [job.name, f"{1000 * statistics.median(times[own]):,.0f} ms"]
        for name in others:
            if times[name]:
                ratio = Ratio(times[name], times[own])
                ratios[name].append(ratio.value)
                row.append(ratio)
            else:
                row.append("fails")
        rows.append(row)
    if len(jobs) > 1:
        for title, combine in [("geometric mean", geometric_mean), ("smallest", min)]:
            cells = [f"{combine(r):.2f}" if r else None for r in ratios.values()]
            rows.append([title, None] + cells)
    return table([""] + list(engines), rows)


def phases(wasmd, job):
    """The rows of `wasmd run --stats` that are times, in milliseconds, in their order."""
    stdin = open(job.stdin, "rb") if job.stdin else subprocess.DEVNULL
    done = subprocess.run(
        [wasmd, "run", "--stats", job.path] + job.arguments,
        stdin=stdin, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    rows = re.findall(r"^  (\w[\w ]*?) +([\d,.]+) ms$", done.stderr.decode(), re.MULTILINE)
    return {name: float(value.replace(",", "")) for name, value in rows}
