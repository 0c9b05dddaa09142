"""Reads the tidy CSV that `lab run --csv` writes: a row for each worker and window."""

import csv
import statistics
from dataclasses import dataclass, field

COLUMNS = ("workload kind unit mode gil heap threads cores round window status note safe role "
           "worker ops seconds p50_ns p99_ns when").split()


class BadResults(Exception):
    """One line for the user: which file, which line, what is wrong with it."""


@dataclass
class Window:
    """One window of one cell. Its workers are those of the workload's first role."""
    workload: str
    kind: str
    unit: str
    mode: str
    gil: str
    heap: str
    threads: int
    cores: int
    round: int
    window: str
    status: str
    note: str
    safe: bool
    when: str
    rates: dict = field(default_factory=dict)  # by worker: operations per second
    p50s_ns: list = field(default_factory=list)
    p99s_ns: list = field(default_factory=list)

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
        return statistics.median(self.p99s_ns) if self.p99s_ns else None


def window_of(row):
    return Window(workload=row["workload"], kind=row["kind"], unit=row["unit"], mode=row["mode"],
                  gil=row["gil"], heap=row["heap"], threads=int(row["threads"]),
                  cores=int(row["cores"]), round=int(row["round"]), window=row["window"],
                  status=row["status"], note=row["note"], when=row["when"],
                  safe=row["safe"].lower() not in ("no", "0", "false", "unsafe"))


def add_worker(window, row):
    worker = int(row["worker"])
    if worker in window.rates:
        raise ValueError(f"worker {worker} of this window stands here twice; two runs in one file?")
    if float(row["seconds"]) <= 0:
        raise ValueError(f"a window of {row['seconds']} seconds")
    window.rates[worker] = int(row["ops"]) / float(row["seconds"])
    for column, into in (("p50_ns", window.p50s_ns), ("p99_ns", window.p99s_ns)):
        if float(row[column] or 0) > 0:
            into.append(float(row[column]))


def windows_of(reader):
    windows, first_role = {}, {}
    for row in reader:
        if None in row or None in row.values():
            raise ValueError("it has not as many fields as the header")
        key = tuple(row[c] for c in "workload mode gil heap threads round window".split())
        if key not in windows:
            windows[key] = window_of(row)
        if row["ops"] and row["role"] == first_role.setdefault(row["workload"], row["role"]):
            add_worker(windows[key], row)
    return list(windows.values())


def read(path):
    """Every window, in the order of the file. BadResults if it is not such a file."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            missing = [c for c in COLUMNS if c not in (reader.fieldnames or [])]
            if missing:
                raise BadResults(f"{path}: this is not a CSV of `lab run`: no column {missing[0]}")
            try:
                return windows_of(reader)
            except ValueError as error:
                raise BadResults(f"{path}, line {reader.line_num}: {error}") from None
    except OSError as error:
        raise BadResults(f"{path}: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error):
        raise BadResults(f"{path}: this is not a CSV of `lab run`") from None
