// boost_fiber_create.cc - a boost::context::fiber made on a pooled stack, run to its end at once,
// and dropped.
#include "benches/peers/peer.h"

#include <boost/context/fiber.hpp>
#include <boost/context/pooled_fixedsize_stack.hpp>

namespace {

using boost::context::fiber;

enum { STACK_BYTES = 64 << 10 };

MEASURED void run(uint64_t iterations)
{
    boost::context::pooled_fixedsize_stack pool(STACK_BYTES);

    for (uint64_t i = 0; i < iterations; i++) {
        fiber made{ std::allocator_arg, pool, [](fiber &&resumer) { return std::move(resumer); } };

        made = std::move(made).resume();
        peer_barrier(i);
    }
}

} // namespace

extern "C" const struct micro peer_boost_fiber_create;

const struct micro peer_boost_fiber_create = {
    "a boost::context::fiber made, run to its end at once, and dropped", true, false, false, false,
    false, nullptr, run, nullptr,
};
