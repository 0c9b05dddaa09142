/* gbench.cc - Google Benchmark for C: the side that is C++. */
#include "benches/gbench.h"

#include <benchmark/benchmark.h>

#include <cerrno>
#include <chrono>

namespace {

benchmark::State &library_state(gbench_state *state)
{
    return *reinterpret_cast<benchmark::State *>(state);
}

/* What the library throws is a lack of memory, whatever the type says. */
template <typename Call> int guarded(Call call)
{
    try {
        return call();
    } catch (...) {
        errno = ENOMEM;
        return -1;
    }
}

double seconds_since_first_call()
{
    using clock = std::chrono::steady_clock;
    static const clock::time_point first = clock::now();

    return std::chrono::duration<double>(clock::now() - first).count();
}

/* All iterations are one batch: a clock read between two would be in the figure. */
void run_batch(benchmark::State &state, gbench_function *function, void *data)
{
    state.counters["began_s"] = benchmark::Counter(seconds_since_first_call());
    while (state.KeepRunningBatch(state.max_iterations))
        state.SetIterationTime(function(reinterpret_cast<gbench_state *>(&state),
                                        static_cast<uint64_t>(state.max_iterations), data));
}

benchmark::internal::Benchmark *registered(const char *name, gbench_function *function, void *data)
{
    return benchmark::RegisterBenchmark(name, [=](benchmark::State &state) {
               run_batch(state, function, data);
           })->UseManualTime();
}

} // namespace

int gbench_init(int *argc, char **argv)
{
    return guarded([=] {
        benchmark::Initialize(argc, argv);
        if (!benchmark::ReportUnrecognizedArguments(*argc, argv))
            return 0;
        errno = EINVAL;
        return -1;
    });
}

int gbench_print_flags(void)
{
    return guarded([] {
        benchmark::PrintDefaultHelp();
        return 0;
    });
}

int gbench_register(const char *name, gbench_function *function, void *data)
{
    return guarded([=] {
        registered(name, function, data);
        return 0;
    });
}

int gbench_register_once(const char *name, gbench_function *function, void *data)
{
    return guarded([=] {
        registered(name, function, data)->Iterations(1);
        return 0;
    });
}

int gbench_add_context(const char *key, const char *value)
{
    return guarded([=] {
        benchmark::AddCustomContext(key, value);
        return 0;
    });
}

int gbench_run(void)
{
    return guarded([] {
        return static_cast<int>(benchmark::RunSpecifiedBenchmarks());
    });
}

int gbench_counter(gbench_state *state, const char *name, double value)
{
    return guarded([=] {
        library_state(state).counters[name] = benchmark::Counter(value);
        return 0;
    });
}

int gbench_label(gbench_state *state, const char *text)
{
    return guarded([=] {
        library_state(state).SetLabel(text);
        return 0;
    });
}

int gbench_skip(gbench_state *state, const char *reason)
{
    return guarded([=] {
        library_state(state).SkipWithError(reason);
        return 0;
    });
}
