#!/usr/bin/python3
"""with_pandas.py RESULTS: the median speed-up of each mode, by workload and threads."""
import sqlite3
import sys

import pandas

rates = pandas.read_sql("SELECT * FROM rates WHERE NOT control", sqlite3.connect(sys.argv[1]))
medians = rates.groupby(["run", "workload", "mode", "threads"])["rate"].median().unstack("threads")
print(medians.div(medians.bfill(axis="columns").iloc[:, 0], axis="index").round(2).to_string())
