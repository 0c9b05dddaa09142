/* test_child.c - cells that misbehave: this same program, run again, plays them. */
#include "lab/child.h"

#include "gil/mutex.h"
#include "lab/runtimes.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* A cell that must end by itself may take the long; one that must be ended takes the short. */
static const uint64_t long_ns = 60 * (uint64_t)NS_PER_S, short_ns = NS_PER_S / 5;

enum { MIB = 1 << 20, EATEN_BYTES = 384 * MIB, MEMORY_BYTES = 192 * MIB };

static volatile int interrupted;

static struct cell cell_of(const char *build)
{
    struct mode mode = { .label = "some",
                         .runtime = runtime_list[0].runtime,
                         .lock_name = gil_list[0].name,
                         .lock = gil_list[0].class };
    struct variant workload = { .label = "some" };
    struct variants unit;
    struct mistake m;
    struct cell cell;

    assert_int_equal(parse_units("thread", &unit, &m), 0);
    cell_init(&cell, &workload, &mode, "jemalloc", build, &unit.item[0], 0, 1);
    return cell;
}

/* ---- The child's side: what `lab cell` does in these tests. ---- */

/* To be freed. */
static char *whole_result(void)
{
    struct cell cell = cell_of("");
    struct sample sample[64] = { 0 };
    struct measurement m = { .seconds = 0.000001, .overlap = 1, .sample = sample };
    char *text = calloc(1, 16384);
    int ends[2];

    for (int r = 0; r < ROLE_MAX && cell.work->roles[r].name; r++)
        for (int w = 0; w < cell.work->roles[r].fixed + cell.work->roles[r].per_thread; w++) {
            sample[m.samples] =
                (struct sample){ .role_index = r, .worker = w, .ops = 5, .binding = "bound" };
            snprintf(sample[m.samples++].role, ROLE_NAME_BYTES, "%s", cell.work->roles[r].name);
        }
    if (pipe(ends) < 0 || measurement_write(&m, ends[1]) < 0 || read(ends[0], text, 16383) < 0)
        abort();
    return text;
}

static void print_whole(void)
{
    char *text = whole_result();

    fputs(text, stdout);
    fflush(stdout);
    free(text);
}

/* What is wrong with a result, and what the note must say of it. */
static const struct {
    const char *from, *to; /* replaced once; from "": all of it */
    size_t zeroes;         /* NULs behind it */
    const char *note;
} garbage[] = {
    { "", "hello\n", 0, "line 1 is 'hello'" },
    { "", "\033[2J\xff\xfe\tx\n", 0, "line 1 is '?[2J???x'" },
    { "", "\n", 0, "line 1 is ''" },
    { "", "", 1, "line 1 is '?'" },
    { "status ok", "status splendid", 0, "line 1 is 'status splendid '" },
    { "status ok", "status skipped", 0, "cannot say of itself that its status is skipped" },
    { "status ok", "status timeout", 0, "cannot say of itself that its status is timeout" },
    { "status ok \n", "", 0, "line 1 is 'window" },
    { "status ok \n", "status ok \nstatus ok \n", 0, "line 2 is 'status ok '" },
    { "0.000001000", "nan", 0, "line 2 is 'window nan" },
    { "0.000001000", "inf", 0, "line 2 is 'window inf" },
    { "0.000001000", "1e999", 0, "line 2 is 'window 1e999" },
    { "0.000001000", "-0.000001000", 0, "line 2 is 'window -0" },
    { "0.000001000", "86400.000000000", 0, "longer than its life" },
    { "1.0000", "1.0001", 0, "line 2 is 'window" },
    { " 0\ndamage", " -1\ndamage", 0, "line 2 is 'window" },
    { " 0\ndamage", " 0 0\ndamage", 0, "line 2 is 'window" },
    { "damage 0", "damage 99999999999999999999", 0, "line 3 is 'damage 99999999999999999999" },
    { " 5 0.000000", " -5 0.000000", 0, "line 5 is 'worker" },
    { " 5 0.000000", " 0x5 0.000000", 0, "line 5 is 'worker" },
    { " 5 0.000000", " 5 nan", 0, "line 5 is 'worker" },
    { " 5 0.000000", " 5 -0.000001", 0, "line 5 is 'worker" },
    { "worker ", "worker no", 0, "of other workers" },
    { " 0 0 5 ", " 0 1 5 ", 0, "of other workers" },
    { " 0 0 5 ", " 1 0 5 ", 0, "of other workers" },
    { "bound\nend 1\n", "bound\nend 1", 0, "is 'end 1'" },
    { "end 1\n", "", 0, "is ''" },
    { "end 1\n", "end 0\n", 0, "is 'end 0'" },
    { "end 1\n", "end 1\nend 1\n", 0, "is 'end 1'" },
    { "end 1\n", "end 1\nand more", 0, "is 'and more'" },
    { "end 1\n", "end 1\n", 1, "is '?'" },
    { "end 1\n", "worker one 0 1 5 0.000000 0 0 0 0 0 0 0 0 0 0 0 bound\nend 2\n", 0,
      "of other workers" },
};

enum { GARBAGES = sizeof garbage / sizeof *garbage };

static void print_garbage(int i)
{
    char *text = whole_result();
    char *at = strstr(text, garbage[i].from);
    size_t cut = *garbage[i].from ? strlen(garbage[i].from) : strlen(text);

    if (!at)
        abort();
    printf("%.*s%s%s", (int)(at - text), text, garbage[i].to, at + cut);
    for (size_t n = 0; n < garbage[i].zeroes; n++)
        putchar('\0');
    free(text);
}

/* For those that come after it: when the test fails, they end, too. */
static _Noreturn void hang(void)
{
    alarm(120);
    for (;;)
        pause();
}

/* Leaves its number where the test finds it. */
static void sign(void)
{
    FILE *file = fopen(getenv("SIGNED"), "w");

    if (!file || fprintf(file, "%d\n", getpid()) < 0 || fclose(file))
        abort();
}

/* To its end only, for a limit that does not hold. */
static _Noreturn void eat(void)
{
    enum { BITE_BYTES = 4 * MIB };

    for (size_t eaten = 0; eaten < EATEN_BYTES; eaten += BITE_BYTES) {
        char *bite =
            mmap(NULL, BITE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (bite == MAP_FAILED)
            break;
        memset(bite, 1, BITE_BYTES);
    }
    hang();
}

/* Starts somebody who leaves group and session, holds both pipes, and hangs, as an orphan; or
 * eats, and its parent waits for it. Returns when that one is on its way. */
static void leave_behind(bool eats)
{
    int ends[2];
    char none;

    if (pipe(ends) < 0)
        abort();
    if (fork() == 0) {
        setsid();
        if (fork() != 0) {
            close(ends[0]);
            close(ends[1]);
            _exit(eats && wait(NULL));
        }
        sign();
        close(ends[0]);
        close(ends[1]);
        if (eats)
            eat();
        hang();
    }
    close(ends[1]);
    while (read(ends[0], &none, 1) > 0)
        ;
}

/* As Ctrl-Z and fg do with the command, for longer than the limit. */
static void stop_parent(void)
{
    kill(getppid(), SIGSTOP);
    nanosleep(&(struct timespec){ .tv_sec = 2, .tv_nsec = NS_PER_S / 2 }, NULL);
    kill(getppid(), SIGCONT);
}

static int count_fds(void)
{
    DIR *fds = opendir("/proc/self/fd");
    int count = -3; /* itself, `.` and `..` */

    while (readdir(fds))
        count++;
    closedir(fds);
    return count;
}

static void tell_how_it_began(void)
{
    char score[16] = "";
    struct rlimit core;
    struct sigaction usr1;
    sigset_t blocked;
    FILE *file = fopen("/proc/self/oom_score_adj", "r");

    if (!file || !fgets(score, sizeof score, file))
        abort();
    fclose(file);
    getrlimit(RLIMIT_CORE, &core);
    sigaction(SIGUSR1, NULL, &usr1);
    sigprocmask(SIG_SETMASK, NULL, &blocked);
    fprintf(stderr, "core %d oom %d ignored %d blocked %d files %d input %d\n", (int)core.rlim_cur,
            atoi(score), usr1.sa_handler == SIG_IGN, sigismember(&blocked, SIGUSR2), count_fds(),
            getchar());
}

static int play(const char *part)
{
    alarm(120);
    if (!strcmp(part, "hang")) {
        signal(SIGTERM, SIG_IGN);
        sign();
        hang();
    }
    if (!strcmp(part, "stop"))
        raise(SIGSTOP);
    if (!strcmp(part, "eat"))
        eat();
    if (!strcmp(part, "leave an eater")) {
        leave_behind(true);
        hang();
    }
    if (!strcmp(part, "spew"))
        while (puts("hello") >= 0)
            ;
    if (!strcmp(part, "spew complaints"))
        while (fprintf(stderr, "%4096s", "x") >= 0)
            ;
    if (!strcmp(part, "tell how it began")) {
        tell_how_it_began();
        return 1;
    }
    if (!strcmp(part, "tell its options")) {
        fprintf(stderr, "%s, %s\n", getenv("TSAN_OPTIONS"), getenv("PART"));
        return 1;
    }
    if (!strncmp(part, "garbage ", 8)) {
        print_garbage(atoi(part + 8));
        return 0;
    }
    if (!strcmp(part, "stop its parent"))
        stop_parent();
    if (!strcmp(part, "leave somebody"))
        leave_behind(false);
    if (strcmp(part, "be silent"))
        print_whole();
    fputs("first words\nlast \033words\n", stderr);
    if (!strcmp(part, "die"))
        raise(SIGKILL);
    return strcmp(part, "fail late") ? 0 : 23;
}

/* ---- The parent's side. ---- */

static void assert_no_children(void)
{
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static char signed_path[] = "/tmp/test_child_XXXXXX";

/* 0: nobody has. */
static pid_t who_has_signed(void)
{
    FILE *file = fopen(signed_path, "r");
    int pid = 0;

    assert_non_null(file);
    if (fscanf(file, "%d", &pid) != 1)
        pid = 0;
    fclose(file);
    return pid;
}

/* The process that has signed is no more. */
static void assert_gone(void)
{
    pid_t pid = who_has_signed();

    assert_true(pid > 0);
    assert_int_equal(kill(pid, 0), -1);
    assert_int_equal(errno, ESRCH);
}

static int try(const struct child_rules *rules, const char *build, const char *part,
               struct measurement *m)
{
    struct cell cell = cell_of(build);
    struct window window = { 0, NS_PER_MS, false };

    setenv("PART", part, 1);
    return child_measure(rules, &cell, &window, WINDOW_TIMED, m);
}

/* Whatever the child did, nothing of it is left. */
static struct measurement measure_build(struct child_rules rules, const char *build,
                                        const char *part)
{
    int fds = count_fds();
    struct measurement m;

    interrupted = 0;
    rules.interrupted = &interrupted;
    rules.time_ns = rules.time_ns ? rules.time_ns : long_ns;
    assert_int_equal(try(&rules, build, part, &m), 0);
    assert_int_equal(count_fds(), fds);
    assert_no_children();
    return m;
}

static struct measurement measure_with(struct child_rules rules, const char *part)
{
    return measure_build(rules, "", part);
}

static struct measurement measure_part(const char *part)
{
    return measure_with((struct child_rules){ 0 }, part);
}

static void assert_ok(struct measurement m)
{
    if (m.status != STATUS_OK)
        fail_msg("%s: '%s'", status_name(m.status), m.note);
    assert_true(m.samples > 0);
    measurement_free(&m);
}

static void assert_failed(struct measurement m, const char *note)
{
    assert_int_equal(m.status, STATUS_FAILED);
    if (!strstr(m.note, note))
        fail_msg("'%s' does not say '%s'", m.note, note);
    assert_int_equal(m.samples, 0);
    assert_true(m.seconds == 0);
}

static void child_that_does_well_is_measured(void **state)
{
    struct measurement m = measure_part("do well");

    (void)state;
    assert_true(m.seconds == 0.000001);
    assert_ok(m);
}

static void child_that_dies_has_failed(void **state)
{
    (void)state;
    assert_failed(measure_part("die"), "died: Killed: last ?words");
    assert_failed(measure_part("be silent"), "without a result (status 0): last ?words");
}

/* A shell may have ignored SIGCHLD before it started us. */
static void how_a_child_died_is_known_where_nobody_wanted_to_know(void **state)
{
    (void)state;
    signal(SIGCHLD, SIG_IGN);
    assert_failed(measure_part("die"), "died: Killed: last ?words");
}

/* So end programs in which a sanitizer has found something, after all the rest went well. */
static void child_that_fails_after_its_result_has_failed(void **state)
{
    (void)state;
    assert_failed(measure_part("fail late"), "with a result (status 23)");
}

static void child_that_prints_garbage_has_failed(void **state)
{
    char part[32];

    (void)state;
    for (int i = 0; i < GARBAGES; i++) {
        snprintf(part, sizeof part, "garbage %d", i);
        assert_failed(measure_part(part), garbage[i].note);
    }
}

static void child_that_prints_without_end_is_ended(void **state)
{
    (void)state;
    assert_failed(measure_part("spew"), "printed more than");
    assert_failed(measure_part("spew complaints"), "printed more than");
}

/* On a busy machine it may be ended before it has begun to hang: then it is given longer. */
static void child_that_does_not_end_is_ended(void **state)
{
    struct child_rules rules = { .time_ns = short_ns };

    (void)state;
    assert_int_equal(truncate(signed_path, 0), 0);
    for (; !who_has_signed(); rules.time_ns *= 2)
        assert_int_equal(measure_with(rules, "hang").status, STATUS_TIMEOUT);
    assert_gone();
    assert_int_equal(measure_with((struct child_rules){ .time_ns = short_ns }, "stop").status,
                     STATUS_TIMEOUT);
}

static void child_that_eats_memory_is_ended(void **state)
{
    struct child_rules rules = { .memory_bytes = MEMORY_BYTES };

    (void)state;
    assert_failed(measure_with(rules, "eat"), "more than 192 MiB of memory, its limit (--memory)");
    assert_ok(measure_with(rules, "do well"));
}

static void what_is_eaten_by_whom_it_forked_is_its_own(void **state)
{
    struct child_rules rules = { .memory_bytes = MEMORY_BYTES };

    (void)state;
    assert_failed(measure_with(rules, "leave an eater"), "more than 192 MiB");
    assert_gone();
}

/* The pipes are still open, but who could give a result has gone. */
static void who_is_left_behind_is_ended_and_not_waited_for(void **state)
{
    (void)state;
    assert_ok(measure_part("leave somebody"));
    assert_gone();
}

static void other_children_are_left_alone(void **state)
{
    static const volatile int never;
    struct child_rules rules = { .time_ns = long_ns, .interrupted = &never };
    struct measurement m;
    pid_t other = fork();

    (void)state;
    if (other == 0)
        hang();
    assert_int_equal(try(&rules, "", "leave somebody", &m), 0);
    assert_ok(m);
    assert_gone();
    assert_int_equal(waitpid(other, NULL, WNOHANG), 0);
    kill(other, SIGKILL);
    assert_int_equal(waitpid(other, NULL, 0), other);
}

static void interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

static void ring_every(int us, void (*handler)(int))
{
    struct timeval time = { us / 1000000, us % 1000000 };
    struct itimerval bell = { time, time };

    sigaction(SIGALRM, &(struct sigaction){ .sa_handler = handler }, NULL);
    setitimer(ITIMER_REAL, &bell, NULL);
}

static void interrupted_there_is_no_measurement(void **state)
{
    struct child_rules rules = { .time_ns = long_ns, .interrupted = &interrupted };
    int fds = count_fds();
    struct measurement m;

    (void)state;
    assert_int_equal(truncate(signed_path, 0), 0);
    for (int us = 200000; !who_has_signed(); us *= 2) {
        interrupted = 0;
        ring_every(us, interrupt);
        assert_int_equal(try(&rules, "", "hang", &m), -1);
    }
    assert_gone();
    ring_every(0, SIG_DFL);
    assert_int_equal(try(&rules, "", "hang", &m), -1);
    assert_int_equal(count_fds(), fds);
    assert_no_children();
}

static void nothing(int signal)
{
    (void)signal;
}

static void signals_do_not_disturb(void **state)
{
    (void)state;
    ring_every(500, nothing);
    for (int i = 0; i < 20; i++)
        assert_ok(measure_part("leave somebody"));
    ring_every(0, SIG_DFL);
}

static void time_in_which_the_parent_was_stopped_is_not_the_childs(void **state)
{
    (void)state;
    assert_ok(
        measure_with((struct child_rules){ .time_ns = 2 * (uint64_t)NS_PER_S }, "stop its parent"));
}

/* Whatever is unusual here, a cell begins as anywhere else. */
static void child_begins_clean(void **state)
{
    int zeroes = open("/dev/zero", O_RDONLY), input = dup(STDIN_FILENO);
    struct rlimit core, most;
    sigset_t usr2;

    (void)state;
    getrlimit(RLIMIT_CORE, &core);
    most = (struct rlimit){ core.rlim_max, core.rlim_max };
    setrlimit(RLIMIT_CORE, &most);
    sigemptyset(&usr2);
    sigaddset(&usr2, SIGUSR2);
    sigprocmask(SIG_BLOCK, &usr2, NULL);
    signal(SIGUSR1, SIG_IGN);
    dup2(zeroes, STDIN_FILENO);
    assert_failed(measure_part("tell how it began"),
                  "core 0 oom 1000 ignored 0 blocked 0 files 3 input -1");
    dup2(input, STDIN_FILENO);
    signal(SIGUSR1, SIG_DFL);
    sigprocmask(SIG_UNBLOCK, &usr2, NULL);
    setrlimit(RLIMIT_CORE, &core);
    close(zeroes);
    close(input);
}

/* It is to race; but TSan would end it. The rest of the environment is the caller's. */
static void races_of_an_unsafe_cell_are_not_reported(void **state)
{
    struct child_rules rules = { .time_ns = long_ns, .interrupted = &interrupted };
    struct window window = { 0, NS_PER_MS, false };
    struct cell cell = cell_of("");
    struct measurement m;

    (void)state;
    interrupted = 0;
    cell.safe = false;
    setenv("PART", "tell its options", 1);
    assert_int_equal(child_measure(&rules, &cell, &window, WINDOW_TIMED, &m), 0);
    assert_failed(m, ": report_bugs=0, tell its options");
}

static struct measurement run_instead(const char *build)
{
    return measure_build((struct child_rules){ 0 }, build, "do well");
}

static void executable_that_is_no_lab_is_named(void **state)
{
    (void)state;
    assert_failed(run_instead("/no/such/lab"), "/no/such/lab: No such file or directory");
    assert_failed(run_instead("/tmp"), "/tmp: Permission denied");
    assert_failed(run_instead("/bin/true"), "without a result (status 0)");
    assert_failed(run_instead("/bin/false"), "without a result (status 1)");
    assert_failed(run_instead("/bin/echo"), "line 1 is 'cell --workload some");
    assert_ok(run_instead("/proc/self/exe"));
}

/* With one file more each time, until there are enough; the test's own look at /proc/self/fd
 * needs the first. */
static void without_files_there_is_a_note_and_no_leak(void **state)
{
    struct rlimit before, few;
    int notes = 0, next = dup(STDIN_FILENO);

    (void)state;
    close(next);
    getrlimit(RLIMIT_NOFILE, &before);
    few = before;
    for (int more = 1; more < 20; more++) {
        struct measurement m;

        few.rlim_cur = (rlim_t)(next + more);
        setrlimit(RLIMIT_NOFILE, &few);
        m = measure_part("do well");
        setrlimit(RLIMIT_NOFILE, &before);
        if (m.status != STATUS_OK)
            assert_failed(m, "Too many open files");
        notes += m.status != STATUS_OK;
        measurement_free(&m);
    }
    assert_in_range(notes, 1, 15);
}

/* Nobody may start anything: in a process of its own, for root is somebody. */
static void without_processes_there_is_a_note(void **state)
{
    pid_t pid = fork();
    int status;

    (void)state;
    if (pid == 0) {
        struct rlimit none = { 0, 0 };
        struct measurement m;

        if ((getuid() == 0 && setuid(65534) < 0) || setrlimit(RLIMIT_NPROC, &none) < 0)
            _exit(2);
        m = measure_part("do well");
        _exit(!strstr(m.note, "Resource temporarily unavailable"));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* The test adopts the orphan, to see how it ends. */
static void child_dies_with_its_parent(void **state)
{
    static const volatile int never;
    struct child_rules rules = { .time_ns = long_ns, .interrupted = &never };
    struct measurement m;
    int pid = 0, status;
    pid_t parent;

    (void)state;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    assert_int_equal(truncate(signed_path, 0), 0);
    parent = fork();
    if (parent == 0)
        _exit(try(&rules, "", "hang", &m));
    while (!pid) {
        FILE *file = fopen(signed_path, "r");

        if (fscanf(file, "%d\n", &pid) != 1)
            sched_yield();
        fclose(file);
    }
    kill(parent, SIGKILL);
    assert_int_equal(waitpid(parent, &status, 0), parent);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
}

static int begin(void **state)
{
    int fd = mkstemp(signed_path);

    (void)state;
    setenv("SIGNED", signed_path, 1);
    return fd < 0 ? -1 : close(fd);
}

static int end(void **state)
{
    (void)state;
    return unlink(signed_path);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(child_that_does_well_is_measured),
        cmocka_unit_test(child_that_dies_has_failed),
        cmocka_unit_test(how_a_child_died_is_known_where_nobody_wanted_to_know),
        cmocka_unit_test(child_that_fails_after_its_result_has_failed),
        cmocka_unit_test(child_that_prints_garbage_has_failed),
        cmocka_unit_test(child_that_prints_without_end_is_ended),
        cmocka_unit_test(child_that_does_not_end_is_ended),
        cmocka_unit_test(child_that_eats_memory_is_ended),
        cmocka_unit_test(what_is_eaten_by_whom_it_forked_is_its_own),
        cmocka_unit_test(who_is_left_behind_is_ended_and_not_waited_for),
        cmocka_unit_test(other_children_are_left_alone),
        cmocka_unit_test(interrupted_there_is_no_measurement),
        cmocka_unit_test(signals_do_not_disturb),
        cmocka_unit_test(time_in_which_the_parent_was_stopped_is_not_the_childs),
        cmocka_unit_test(child_begins_clean),
        cmocka_unit_test(races_of_an_unsafe_cell_are_not_reported),
        cmocka_unit_test(executable_that_is_no_lab_is_named),
        cmocka_unit_test(without_files_there_is_a_note_and_no_leak),
        cmocka_unit_test(without_processes_there_is_a_note),
        cmocka_unit_test(child_dies_with_its_parent),
    };

    if (argc > 1 && !strcmp(argv[1], "cell"))
        return play(getenv("PART"));
    return cmocka_run_group_tests(tests, begin, end);
}
