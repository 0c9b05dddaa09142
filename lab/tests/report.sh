#!/bin/sh
# `lab report`, and the page that it writes: see report_page.py.
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 lab/tests/report_page.py
