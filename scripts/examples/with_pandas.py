#!/usr/bin/python3
"""with_pandas.py RESULTS: the last run's speed-ups; what must not be pooled has its own row."""
import sqlite3
import sys

import pandas

LAST = "run = (SELECT run FROM rates ORDER BY started DESC, run DESC LIMIT 1)"
cells = pandas.read_sql(f"SELECT * FROM speedups WHERE {LAST}", sqlite3.connect(sys.argv[1]))
cells["units"] = cells["units"].fillna("")  # NULL: they are the threads
rows = cells.pivot(index=["workload", "mode", "heap", "build", "execution_unit", "units"],
                   columns="threads", values="speedup")
print(rows.round(2).to_string())
