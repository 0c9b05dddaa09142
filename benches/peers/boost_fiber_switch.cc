// boost_fiber_switch.cc - a boost::context::fiber resumed, and its way back: two switches. It
// passes no value.
#include "benches/peers/peer.h"

#include <boost/context/fiber.hpp>

namespace {

using boost::context::fiber;

fiber subject;

int setup()
{
    subject = fiber{ [](fiber &&resumer) {
        for (;;)
            resumer = std::move(resumer).resume();
        return std::move(resumer);
    } };
    return 0;
}

MEASURED void run(uint64_t iterations)
{
    for (uint64_t i = 0; i < iterations; i++)
        subject = std::move(subject).resume();
}

void teardown()
{
    subject = fiber{};
}

} // namespace

extern "C" const struct micro peer_boost_fiber_switch;

const struct micro peer_boost_fiber_switch = {
    "a boost::context::fiber resumed, and its way back", true, false, false, false, false,
    setup, run, teardown,
};
