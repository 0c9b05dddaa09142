/* scaling.h - what more threads bring: speed-up taken apart, and continued beyond what was run.
 *
 * The Universal Scalability Law (N. Gunther, Guerrilla Capacity Planning, 2007, chapter 4) says
 * that N threads do
 *
 *     X(N) = g N / (1 + a (N - 1) + b N (N - 1))
 *
 * g: the rate of one thread. a: the share of the work that is serial, for which threads take
 * turns. b: the coherence cost, what each must wait for each other's writes; only this
 * makes more threads do less. The peak is at sqrt((1 - a) / b) threads.
 *
 * The fit is refused rather than guessed: three parameters need four thread counts, and those
 * must fit on the cores, for beyond them it is the scheduler that is measured. */
#ifndef LAB_SCALING_H
#define LAB_SCALING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The serial share that explains a speed-up at `threads`, more than 1 (A. Karp, H. Flatt,
 * Measuring Parallel Processor Performance, CACM 1990). If it grows with the threads, something
 * else than serial work holds them up. */
double karp_flatt(double speedup, int threads);

/* All samples at one number of threads; no two points have the same. */
struct scaling_point {
    int threads;
    const double *rates;
    size_t count;
};

/* A figure and its 95 % bootstrap interval. INFINITY is a value like others. */
struct figure {
    double value, low, high;
};

struct law {
    double g, a, b;
};

enum { SCALING_POINTS_MIN = 4, SCALING_SAMPLES_MIN = 3, SCALING_RESAMPLES = 1000 };

struct scaling {
    char refusal[96]; /* why there is no fit; empty if there is one */
    int measured;     /* the most threads that entered the fit: beyond, a line is dashed */
    struct figure g, a, b;
    struct figure peak;  /* threads; infinite: more threads always do more */
    struct figure limit; /* the most times the work of one thread that any number does */
    double misfit;       /* of the law, to the median that is farthest off: 0.1 is 10 % */
    double tail;         /* resamples left out on each side */
    struct law resampled[SCALING_RESAMPLES];
};

/* Fits the law to the medians of the points from 1 to `cores` threads, and again to medians of
 * samples drawn again within each point, for the intervals. False, and the reason in
 * `refusal`: fewer than SCALING_POINTS_MIN such points, fewer than SCALING_SAMPLES_MIN samples in
 * one, a rate of 0, or no memory. */
bool scaling_fit(struct scaling *scaling, const struct scaling_point *points, size_t count,
                 int cores, uint64_t seed);

/* The rate at `threads`, 1 or more, and the band around it. After a fit. */
struct figure scaling_at(const struct scaling *scaling, double threads);

/* What the fit says, in sentences; the refusal, if there is none. Returns text. */
const char *scaling_reading(const struct scaling *scaling, char *text, size_t size_bytes);

#endif
