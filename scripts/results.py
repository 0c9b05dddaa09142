"""Reads what the lab has measured: a results file, or the tidy CSV of its view `tidy`.

`connect` gives an SQLite connection either way, with the tables and views of
lab/schema.sql, so that a question is asked in the same words of both. A CSV becomes a
database in memory; what the CSV does not tell (provenance, the thread count that others are
compared with) is guessed from the rest or absent.
"""

import csv
import os
import re
import sqlite3
import statistics
import urllib.parse
from dataclasses import dataclass, field

SCHEMA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab", "schema.sql")
MAGIC = b"SQLite format 3\0"
NUMBER = re.compile(r"^-?\d+(\.\d*)?([eE][-+]?\d+)?$")


class BadResults(Exception):
    """One line for the user: which file, which line, what is wrong with it."""


def schema():
    with open(SCHEMA, encoding="utf-8") as file:
        return file.read()


def schema_pragma(name):
    return int(re.search(rf"PRAGMA {name} = (\w+)", schema())[1], 0)


def is_database(path):
    try:
        with open(path, "rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError as error:
        raise BadResults(f"{path}: {error.strerror}") from None


def connect(path):
    """A connection with the tables and views of the schema. BadResults if it cannot be."""
    connection = open_database(path) if is_database(path) else open_csv(path)
    connection.row_factory = sqlite3.Row
    return connection


def open_database(path):
    connection = sqlite3.connect(f"file:{urllib.parse.quote(path)}?mode=ro", uri=True)
    try:
        theirs = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.Error as error:
        raise BadResults(f"{path}: {error}") from None
    if theirs != schema_pragma("application_id"):
        raise BadResults(f"{path}: a database, but not one of results")
    if version != schema_pragma("user_version"):
        raise BadResults(f"{path}: of version {version}, and these scripts know "
                         f"{schema_pragma('user_version')} only")
    return connection


def keep_rates(connection):
    """Computes the view on which the plots build once, not once for each question.

    A temporary table hides the view of its name, so that the same question gives the same
    answer, only sooner: of a million samples the view takes a second.
    """
    connection.execute("CREATE TEMP TABLE rates AS SELECT * FROM main.rates")


# By table: its columns that stand in the CSV by their own names.
COPIED = {
    "machines": "",
    "runs": "matrix cores seed",
    "cells": "workload kind unit shares mode policy gil heap build execution_unit units threads "
             "control safe",
    "windows": "sequence status note started started_ns seconds overlap steal busy mhz "
               "max_rss_bytes lost published off over under leaked early kept_bytes "
               "live_objects most_objects asked_bytes taken_bytes handed_over held_back "
               "young_collections all_collections garbage pause_total_ns pause_p50_ns "
               "pause_p99_ns pause_max_ns process_cpu_s process_voluntary_switches "
               "process_involuntary_switches connections grown_bytes latency_p50_ns "
               "latency_p90_ns latency_p99_ns latency_p999_ns latency_max_ns",
    "samples": "worker ops cpu_s planned_pu observed_pu binding p50_ns p90_ns p99_ns max_ns "
               "cycles instructions cache_misses voluntary_switches involuntary_switches",
}
NEEDED = "machine run cell window round role role_number " + " ".join(COPIED.values())
# What a CSV of an earlier lab does not have.
ADDED = {"execution_unit": "thread", "units": "", **dict.fromkeys(
    "process_cpu_s process_voluntary_switches process_involuntary_switches connections grown_bytes "
    "latency_p50_ns latency_p90_ns latency_p99_ns latency_p999_ns latency_max_ns".split(), "")}
# What the schema wants to be there and the CSV does not hold.
UNTOLD = {
    "machines": {},
    "runs": dict(source="", plan="", build="", placing="", window_s=0, ramp_s=0, timeout_s=0,
                 memory_bytes=0, bind="", rounds_least=0, rounds_most=0, precision=0, budget_s=0,
                 started=""),
    "cells": dict(about="", counted=0, workers=0, carriers=0, base=0, miscounts=0),
    "windows": dict(took_s=0),
    "samples": {},
}


def value(text):
    """A CSV knows no types: nothing is NULL, what looks like a number is one."""
    if text == "":
        return None
    if not NUMBER.match(text):
        return text
    return int(text) if text.lstrip("-").isdigit() else float(text)


class Loader:
    """Takes the rows of a CSV apart again, into the tables that they were joined from."""

    def __init__(self, connection):
        self.connection = connection
        self.known = {}

    def insert(self, table, row, /, **own):
        columns = {**UNTOLD[table], **{c: row[c] for c in COPIED[table].split()}, **own}
        names = ", ".join(f'"{name}"' for name in columns)
        return self.connection.execute(
            f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(columns))})",
            list(columns.values())).lastrowid

    def once(self, table, known_by, row, /, **own):
        if (table, known_by) not in self.known:
            self.known[table, known_by] = self.insert(table, row, **own)
        return self.known[table, known_by]

    def add(self, texts):
        row = {name: value(text) for name, text in {**ADDED, **texts}.items()}
        for name in ("note", "build"):
            row[name] = texts[name]
        machine = self.once("machines", texts["machine"], row, key=texts["machine"])
        run = self.once("runs", texts["run"], row, machine=machine, uuid=texts["run"])
        key = texts["run"], texts["cell"]
        skipped = row["status"] == "skipped"
        cell = self.once("cells", key, row, run=run, number=len(self.known),
                         refusal=row["note"] if skipped else None)
        if skipped:
            return
        window = self.once("windows", (*key, texts["window"], texts["round"]), row, cell=cell,
                           kind=texts["window"], block=row["round"])
        if row["role_number"] is not None:
            self.insert("samples", row, window=window, role=row["role_number"],
                        name=texts["role"])

    def finish(self):
        """The least count of threads is what others are compared with; from when to when."""
        self.connection.executescript("""
            UPDATE cells SET base = (SELECT min(threads) FROM cells o
                WHERE (o.run, o.workload) = (cells.run, cells.workload));
            UPDATE runs SET
                started = (SELECT min(started) FROM windows JOIN cells USING (cell)
                           WHERE cells.run = runs.run),
                rounds_least = (SELECT max(block) FROM windows JOIN cells USING (cell)
                                WHERE cells.run = runs.run);""")


def open_csv(path):
    connection = sqlite3.connect(":memory:")
    connection.executescript(schema())
    loader = Loader(connection)
    try:
        with open(path, newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            missing = [c for c in NEEDED.split()
                       if c not in ADDED and c not in (reader.fieldnames or [])]
            if missing:
                raise BadResults(f"{path}: neither a results file nor its CSV: no column "
                                 f"{missing[0]}")
            try:
                load(reader, loader)
            except (ValueError, sqlite3.Error) as error:
                raise BadResults(f"{path}, line {reader.line_num}: {error}") from None
    except (UnicodeDecodeError, csv.Error):
        raise BadResults(f"{path}: neither a results file nor its CSV") from None
    loader.finish()
    return connection


def load(reader, loader):
    for row in reader:
        if None in row or None in row.values():
            raise ValueError("it has not as many fields as the header")
        loader.add(row)


@dataclass
class Window:
    """One timed window of one cell, for scripts that want to go through them by round."""
    workload: str
    mode: str
    threads: int
    round: int
    status: str
    note: str
    handed_over: int  # objects that others had dropped; None: the workload does not look
    held_back: int    # how many of them at most were not destroyed
    rates: dict = field(default_factory=dict)  # by worker of the first role: operations a second
    p50s_ns: list = field(default_factory=list)
    p99s_ns: list = field(default_factory=list)
    background: float = 0  # operations a second of its spinners
    seconds: float = 0
    cpus_s: dict = field(default_factory=dict)  # by role: processor time

    @property
    def has_data(self):
        return self.status in ("ok", "early") and bool(self.rates)

    @property
    def rate(self):
        return sum(self.rates.values())

    @property
    def p50_ns(self):
        return statistics.median(self.p50s_ns) if self.p50s_ns else None

    @property
    def p99_ns(self):
        return max(self.p99s_ns, default=None)

    @property
    def fairness(self):
        """Jain's index of the first role's workers."""
        squares = sum(rate * rate for rate in self.rates.values())
        return self.rate ** 2 / (len(self.rates) * squares) if squares else None


def read(path):
    """Every timed window, in the order of the file. BadResults if it is not such a file."""
    windows = {}
    for row in connect(path).execute("""
            SELECT w.window, c.workload, c.mode, c.threads, w.block, w.status, w.note,
                   w.handed_over, w.held_back, w.seconds, s.role, s.name, s.worker, s.ops, s.p50_ns,
                   s.p99_ns, s.cpu_s
            FROM windows w JOIN cells c USING (cell) LEFT JOIN samples s ON s.window = w.window
            WHERE w.kind = 'timed' ORDER BY w.window"""):
        window = windows.setdefault(row["window"], Window(*row[1:9]))
        if row["ops"] is None or not row["seconds"]:
            continue
        window.seconds = row["seconds"]
        window.cpus_s[row["name"]] = window.cpus_s.get(row["name"], 0) + (row["cpu_s"] or 0)
        if row["name"] == "spinner":
            window.background += row["ops"] / row["seconds"]
        if row["role"] != 0:
            continue
        window.rates[row["worker"]] = row["ops"] / row["seconds"]
        if row["p50_ns"] is not None:
            window.p50s_ns.append(row["p50_ns"])
            window.p99s_ns.append(row["p99_ns"])
    return list(windows.values())
