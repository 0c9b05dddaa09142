#!/usr/bin/gnuplot -c
# with_gnuplot.gp RESULTS WORKLOAD PICTURE.svg: throughput against threads, a line for each mode
set terminal svg
set output ARG3
set xlabel "threads"
set ylabel ARG2.": operations per second"
set yrange [0:*]; set format y "%.0s%c"; set xtics 1; set offsets 0.2, 0.2
rates = "SELECT threads, avg(rate), min(least), max(most) FROM medians WHERE NOT control AND"
query(mode) = sprintf("< sqlite3 -separator ' ' '%s' \"%s workload = '%s' AND mode = '%s' GROUP BY threads\"", ARG1, rates, ARG2, mode)
plot for [mode in "gil atomic biased nolock"] query(mode) with yerrorlines title mode
