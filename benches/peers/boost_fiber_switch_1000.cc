// boost_fiber_switch_1000.cc - the same, of a thousand in turn, on stacks of 64 KiB.
#include "benches/peers/peer.h"

#include <boost/context/fiber.hpp>
#include <boost/context/fixedsize_stack.hpp>

#include <vector>

namespace {

using boost::context::fiber;

enum { FIBERS = 1000, STACK_BYTES = 64 << 10 };

std::vector<fiber> subjects;

int setup()
{
    for (int i = 0; i < FIBERS; i++)
        subjects.push_back(fiber{ std::allocator_arg,
                                  boost::context::fixedsize_stack(STACK_BYTES),
                                  [](fiber &&resumer) {
                                      for (;;)
                                          resumer = std::move(resumer).resume();
                                      return std::move(resumer);
                                  } });
    return 0;
}

MEASURED void run(uint64_t iterations)
{
    int next = 0;

    for (uint64_t i = 0; i < iterations; i++) {
        subjects[next] = std::move(subjects[next]).resume();
        next = next + 1 < FIBERS ? next + 1 : 0;
    }
}

void teardown()
{
    subjects.clear();
}

} // namespace

extern "C" const struct micro peer_boost_fiber_switch_1000;

const struct micro peer_boost_fiber_switch_1000 = {
    "a boost::context::fiber resumed, and its way back, a thousand in turn", true, false, false,
    false, false, setup, run, teardown,
};
