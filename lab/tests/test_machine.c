/* test_machine.c - a machine is known again, and told from another. */
#include "lab/machine.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct machine look(void)
{
    struct machine machine;
    struct mistake m;

    assert_int_equal(machine_look(&machine, &m), 0);
    return machine;
}

static struct machine look_at(const char *variable, const char *description)
{
    struct machine machine;

    setenv(variable, description, 1);
    machine = look();
    unsetenv(variable);
    return machine;
}

static void assert_keys(const char *a, const char *b, bool same)
{
    struct machine left = look_at("HWLOC_SYNTHETIC", a), right = look_at("HWLOC_SYNTHETIC", b);

    if ((strcmp(left.key, right.key) == 0) != same)
        fail_msg("%s of %s, %s of %s", left.key, a, right.key, b);
    machine_free(&left);
    machine_free(&right);
}

static void machine_is_known_again(void **state)
{
    struct machine once = look(), again = look();

    (void)state;
    assert_int_equal(strlen(once.key), 16);
    assert_string_equal(once.key, again.key);
    machine_free(&once);
    machine_free(&again);
}

/* taskset makes it no other machine. */
static void it_does_not_matter_what_the_lab_may_use(void **state)
{
    struct machine all = look(), one;
    cpu_set_t before, first;

    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    CPU_ZERO(&first);
    for (int i = 0; !CPU_COUNT(&first); i++)
        if (CPU_ISSET(i, &before))
            CPU_SET(i, &first);
    assert_int_equal(sched_setaffinity(0, sizeof first, &first), 0);
    one = look();
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
    assert_string_equal(one.key, all.key);
    machine_free(&all);
    machine_free(&one);
}

static void how_much_memory_it_has_makes_it_no_other(void **state)
{
    (void)state;
    assert_keys("[numa(memory=1GB)] core:4 pu:2", "[numa(memory=3GB)] core:4 pu:2", true);
}

static void other_topology_is_another_machine(void **state)
{
    (void)state;
    assert_keys("core:4 pu:2", "core:8 pu:1", false);
    assert_keys("core:4 pu:2", "core:2 pu:4", false);
    assert_keys("[numa] core:4 pu:1", "[numa] [numa] core:4 pu:1", false);
    assert_keys("l3:1(size=1MB) core:4 pu:1", "l3:1(size=2MB) core:4 pu:1", false);
}

/* As `sed` does, at every place; the result is to be freed. */
static char *replace(const char *text, const char *old, const char *by)
{
    char *out = NULL;
    size_t size_bytes;
    FILE *stream = open_memstream(&out, &size_bytes);
    const char *hit;

    while ((hit = strstr(text, old)) != NULL) {
        fprintf(stream, "%.*s%s", (int)(hit - text), text, by);
        text = hit + strlen(old);
    }
    fputs(text, stream);
    fclose(stream);
    return out;
}

/* The key of this machine's description with every `old` replaced. */
static void key_of_changed(const char *old, const char *by, char key[MACHINE_KEY_BYTES])
{
    char path[] = "/tmp/test_machine.XXXXXX";
    struct machine here = look(), there;
    char *changed = replace(here.xml, old, by);
    int fd = mkstemp(path);

    if (!strcmp(changed, here.xml))
        fail_msg("there is no %s in the description", old);
    assert_int_equal(write(fd, changed, strlen(changed)), strlen(changed));
    close(fd);
    there = look_at("HWLOC_XMLFILE", path);
    strcpy(key, there.key);
    unlink(path);
    free(changed);
    machine_free(&here);
    machine_free(&there);
}

static void what_comes_and_goes_is_not_in_the_key(void **state)
{
    static const char *const changing[] = { "name=\"OSRelease\" value=\"",
                                            "name=\"OSVersion\" value=\"",
                                            "name=\"HostName\" value=\"",
                                            "name=\"ProcessName\" value=\"",
                                            "local_memory=\"" };
    struct machine here = look();

    (void)state;
    for (size_t i = 0; i < sizeof changing / sizeof *changing; i++) {
        char by[64], key[MACHINE_KEY_BYTES];

        snprintf(by, sizeof by, "%s1", changing[i]);
        key_of_changed(changing[i], by, key);
        assert_string_equal(key, here.key);
    }
    machine_free(&here);
}

static void model_of_the_processors_is_in_the_key(void **state)
{
    struct machine here = look();
    char key[MACHINE_KEY_BYTES];

    (void)state;
    key_of_changed("name=\"Architecture\" value=\"", "name=\"Architecture\" value=\"not ", key);
    assert_string_not_equal(key, here.key);
    machine_free(&here);
}

static void description_is_xml_of_the_whole_machine(void **state)
{
    struct machine here = look_at("HWLOC_SYNTHETIC", "pack:2 core:2 pu:2");

    (void)state;
    assert_non_null(strstr(here.xml, "<topology version=\"2.0\">"));
    assert_non_null(strstr(here.xml, "</topology>"));
    assert_non_null(strstr(here.synthetic, "Package:2"));
    machine_free(&here);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(machine_is_known_again),
        cmocka_unit_test(it_does_not_matter_what_the_lab_may_use),
        cmocka_unit_test(how_much_memory_it_has_makes_it_no_other),
        cmocka_unit_test(other_topology_is_another_machine),
        cmocka_unit_test(what_comes_and_goes_is_not_in_the_key),
        cmocka_unit_test(model_of_the_processors_is_in_the_key),
        cmocka_unit_test(description_is_xml_of_the_whole_machine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
