#!/usr/bin/gnuplot -c
# with_gnuplot.gp RESULTS WORKLOAD PICTURE.svg: the last run's throughput against threads
set terminal svg noenhanced; set output ARG3
set xlabel "threads"; set ylabel ARG2.": operations per second"
set yrange [0:*]; set format y "%.0s%c"; set xtics 1; set offsets 0.2, 0.2
last = "run = (SELECT run FROM rates ORDER BY started DESC, run DESC LIMIT 1) AND NOT control"
name = "rtrim(mode || '/' || heap || '/' || build, '/')" # what must not be pooled is a line each
ask(what, which) = sprintf("sqlite3 -separator ' ' '%s' \"SELECT %s FROM medians WHERE workload = '%s' AND %s %s\"", ARG1, what, ARG2, last, which)
lines = system(ask("DISTINCT ".name, "ORDER BY cell"))
plot for [line in lines] "< ".ask("threads, rate, least, most", "AND ".name." = '".line."' ORDER BY threads") with yerrorlines title line
