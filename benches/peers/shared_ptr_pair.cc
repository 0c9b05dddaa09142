// shared_ptr_pair.cc - a std::shared_ptr copied, and the copy dropped.
#include "benches/peers/peer.h"

#include <memory>

namespace {

std::shared_ptr<int> original;

int setup()
{
    original = std::make_shared<int>(41);
    return 0;
}

MEASURED void run(uint64_t iterations)
{
    for (uint64_t i = 0; i < iterations; i++) {
        std::shared_ptr<int> copy = original;
        int *held = copy.get();

        peer_barrier(held);
    }
}

void teardown()
{
    original.reset();
}

} // namespace

extern "C" const struct micro peer_shared_ptr_pair;

const struct micro peer_shared_ptr_pair = {
    "a std::shared_ptr copied, and the copy dropped", true, false, false, false, false,
    setup, run, teardown,
};
