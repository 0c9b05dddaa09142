/* generator.c - WRONG: a generator that runs can be resumed.
 *
 * From its own body, or from that of one that it has called, and then two calls share one
 * frame and one `f->at`.
 *
 * Score: 0
 * Says: "test_a_running_one_refuses_and_is_unharmed" did not pass
 * Caught by: coroutines/tests/test_generator (debug)
 * The rest: as in the solution
 */
static inline bool is_claimable(uint8_t stage)
{
    return stage != CLOSED;
}
