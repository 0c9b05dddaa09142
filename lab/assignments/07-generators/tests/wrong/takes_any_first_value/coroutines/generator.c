/* generator.c - WRONG: anything may be sent to a generator that has not begun.
 *
 * There is no `yield` whose value it could be, so it gets lost: who sends to one that nobody has
 * primed is not told of his mistake.
 *
 * Score: 0
 * Says: "test_a_value_sent_to_a_new_one_is_refused_and_it_stays_new" did not pass
 * Caught by: coroutines/tests/test_generator (debug)
 * The rest: as in the solution
 */
static __attribute__((noinline)) enum step drive_send(struct generator *g, borrowed value,
                                                      struct object **result)
{
    struct drive d = { .root = g, .how = RESUME_SEND, .argument = value };
    uint8_t stage;

    if (!begin(&d, &stage))
        return send_in_vain(g, stage, result);
    if (stage == DELEGATING)
        go_to_leaf(&d);
    return go_on(&d, resume(&d, result), result);
}
