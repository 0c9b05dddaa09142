/* rules.c - a file's text, the text that the compiler sees, and the object's names. */
#include "lab/grade/rules.h"

#include "lab/grade/lexer.h"

#include <ctype.h>
#include <fnmatch.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ASKED_MOST = 2000 }; /* names in conditions of one file */

static const char blanks[] = " \t\f\v\r";

__attribute__((format(printf, 2, 3))) static void say(char *said, const char *format, ...)
{
    va_list arguments;

    if (*said)
        return;
    va_start(arguments, format);
    vsnprintf(said, SAID_BYTES, format, arguments);
    va_end(arguments);
}

static bool is_one_of(const char *text, size_t length, const char *const *words)
{
    for (; *words; words++)
        if (lexer_is(text, length, *words))
            return true;
    return false;
}

static bool matches(const char *name, const char *const *patterns)
{
    for (; *patterns; patterns++)
        if (fnmatch(*patterns, name, 0) == 0)
            return true;
    return false;
}

/* ---- the text as it was written ---- */

static bool begins(const char *text, size_t length, const char *with)
{
    return length >= strlen(with) && memcmp(text, with, strlen(with)) == 0;
}

static bool ends(const char *text, size_t length, const char *with)
{
    return length >= strlen(with) && memcmp(text + length - strlen(with), with, strlen(with)) == 0;
}

/* A header is read by the tests, too, behind it: what it makes of other names would change them. */
static bool may_define(const char *name, size_t length)
{
    return begins(name, length, "RC_") || ends(name, length, "_H");
}

/* What differs between the compilations of a submission, and may be asked for: rules_look looks at
 * both answers. Where a header is RC_IMPLEMENTATION, and where it is not, say two of the lab's
 * files (assignment.mk). */
static const char *const asked_for[] = { "NDEBUG", "__SANITIZE_THREAD__", "__SANITIZE_ADDRESS__",
                                         "RC_IMPLEMENTATION", NULL };

static bool is_directive(const char *first, const char *end)
{
    return *first == '#' || begins(first, (size_t)(end - first), "%:");
}

/* Behind # or %:, and blanks. */
static const char *behind_mark(const char *first)
{
    first += *first == '#' ? 1 : 2;
    return first + strspn(first, blanks);
}

/* "mine.h" has the guard OBJECTS_REFCOUNT_MINE_H. */
static bool is_guard(const char *word, size_t length, const char *name)
{
    char guard[100];

    snprintf(guard, sizeof guard, "_%.*s_H", (int)strcspn(name, "."), name);
    for (char *c = guard; *c; c++)
        *c = (char)toupper((unsigned char)*c);
    return ends(word, length, guard) || lexer_is(word, length, guard + 1);
}

/* What conditions of a file are looked at with. */
struct asking {
    const char *text, *name;
    bool header;
    int left; /* so many names more: macros may stand for macros */
};

/* How many conditions a directive is under, and whether the outermost is the file's guard. */
struct nesting {
    int depth, guards;
    bool begun;
};

static void nest(struct nesting *n, const struct asking *ask, const char *word, size_t length,
                 const char *at, const char *end)
{
    const bool first = !n->begun;

    n->begun = true;
    if (begins(word, length, "if")) {
        const bool no_other = lexer_is(word, length, "ifndef");
        const char *asked = lexer_identifier(&at, end, &length);

        n->depth++;
        n->guards += first && no_other && asked && is_guard(asked, length, ask->name);
    } else if (lexer_is(word, length, "endif")) {
        n->depth--;
        n->guards = n->depth > 0 ? n->guards : 0;
    } else if (begins(word, length, "el") && n->depth == 1) {
        n->guards = 0;
    }
}

static bool may_ask_for(struct asking *ask, const char *until, const char *word, size_t length);

static bool may_ask_for_all(struct asking *ask, const char *until, const char *at, const char *end)
{
    const char *word;
    size_t length;

    while ((word = lexer_identifier(&at, end, &length)))
        if (!may_ask_for(ask, until, word, length))
            return false;
    return true;
}

/* A macro that pastes makes names that are not seen. */
static bool pastes(const char *at, const char *end)
{
    size_t length = (size_t)(end - at);

    return memmem(at, length, "##", 2) || memmem(at, length, "%:%:", 4);
}

/* Whether all that the file defines it as may be asked for; and, where that is asked, whether it
 * does so under no condition. */
static bool defines_well(struct asking *ask, const char *until, const char *macro,
                         size_t macro_length, bool for_sure)
{
    struct nesting nesting = { 0 };
    size_t length;

    for (const char *line = ask->text, *end; line < until; line = end + 1) {
        const char *first = line + strspn(line, blanks), *at, *word;

        end = strchrnul(line, '\n');
        at = is_directive(first, end) ? behind_mark(first) : end;
        if (!(word = lexer_identifier(&at, end, &length)))
            continue;
        nest(&nesting, ask, word, length, at, end);
        if (!lexer_is(word, length, "define") || !(word = lexer_identifier(&at, end, &length)) ||
            length != macro_length || memcmp(word, macro, length) != 0)
            continue;
        if (pastes(at, end) || !may_ask_for_all(ask, until, at, end))
            return false;
        for_sure = for_sure && nesting.depth > nesting.guards;
    }
    return !for_sure;
}

/* In a condition: what is the same in each of its compilations, for the rules see one of them. RC_
 * is a policy's own; other files are compiled once for each. */
static bool may_ask_for(struct asking *ask, const char *until, const char *word, size_t length)
{
    const bool always = (ask->header && begins(word, length, "RC_")) ||
                        is_one_of(word, length, asked_for) || is_guard(word, length, ask->name);

    return lexer_is(word, length, "defined") ||
           (ask->left-- > 0 && defines_well(ask, until, word, length, !always));
}

static void look_at_condition(struct asking *ask, const char *line, const char *at, const char *end,
                              char *said)
{
    const char *word;
    size_t length;

    while (!*said && (word = lexer_identifier(&at, end, &length)))
        if (!may_ask_for(ask, line, word, length))
            say(said,
                "%s: a condition asks for what this file has defined before, under no condition, "
                "for its guard (..._%.*s_H in capitals), NDEBUG, __SANITIZE_..., in a header "
                "RC_...: not for %.*s",
                ask->name, (int)strcspn(ask->name, "."), ask->name, (int)length, word);
}

/* Before the compiler, which is not confined, opens it. */
static void look_at_include(const char *at, const char *end, const char *name, char *said)
{
    const char close = *(at += strspn(at, blanks)) == '<' ? '>' : '"';
    const char *stop = at < end ? memchr(at + 1, close, (size_t)(end - at - 1)) : NULL;
    size_t length = stop ? (size_t)(stop - at - 1) : 0;

    if ((*at != '<' && *at != '"') || !length || at[1] == '/' || memmem(at, length + 1, "..", 2) ||
        strcspn(at, blanks) <= length || stop + 1 + strspn(stop + 1, blanks) != end)
        say(said,
            "%s: an #include names a header, as <assert.h>: no path from the root, no .., no macro",
            name);
}

static void look_at_directive(struct asking *ask, const char *line, const char *end, char *said)
{
    static const char *const allowed[] = { "include", "define", "undef", "if",    "ifdef", "ifndef",
                                           "elif",    "else",   "endif", "error", NULL };
    const char *at = behind_mark(line), *name = ask->name;
    size_t length;
    const char *word = isdigit((unsigned char)*at) ? NULL : lexer_identifier(&at, end, &length);

    if (!word) {
        if (isdigit((unsigned char)*at))
            say(said, "%s: a line marker is not for a submission", name);
        return;
    }
    if (!is_one_of(word, length, allowed))
        say(said, "%s: #%.*s is not for a submission", name, (int)length, word);
    if (lexer_is(word, length, "include"))
        look_at_include(at, end, name, said);
    if (begins(word, length, "if") || lexer_is(word, length, "elif"))
        look_at_condition(ask, line, at, end, said);
    if (!ask->header || !(lexer_is(word, length, "define") || lexer_is(word, length, "undef")))
        return;
    word = lexer_identifier(&at, end, &length);
    if (word && !may_define(word, length))
        say(said,
            "%s: a header that tests include defines no macro but RC_... and its guard: not "
            "%.*s",
            name, (int)length, word);
}

static void look_for_assembly(const char *at, const char *end, const char *name, char *said)
{
    static const char *const assembly[] = { "asm", "__asm", "__asm__", "_Pragma", NULL };
    const char *word;
    size_t length;

    while ((word = lexer_identifier(&at, end, &length)))
        if (is_one_of(word, length, assembly))
            say(said, "%s: %.*s is not for a submission", name, (int)length, word);
}

static bool has_trigraph(const char *text)
{
    for (const char *at = text; (at = strstr(at, "??")); at++)
        if (at[2] && strchr("=/'()!<>-", at[2]))
            return true;
    return false;
}

void rules_of_text(const char *text, const char *name, bool header, char *said)
{
    char *copy = strdup(text);
    struct asking ask;

    if (has_trigraph(text))
        say(said, "%s: a trigraph (?? and a sign) is not for a submission", name);
    if (!copy)
        return;
    lexer_strip(copy);
    ask = (struct asking){ copy, name, header, ASKED_MOST };
    for (const char *line = copy, *end; *line; line = *end ? end + 1 : end) {
        const char *first = line + strspn(line, blanks);

        end = strchrnul(line, '\n');
        if (is_directive(first, end))
            look_at_directive(&ask, first, end, said);
        look_for_assembly(first, end, name, said);
    }
    free(copy);
}

/* ---- the text as the compiler sees it ---- */

/* The file of a line marker, `# 12 "./PATH" 1`; false: it is none. */
static bool read_marker(const char *line, char path[PATH_MAX])
{
    if (sscanf(line, "# %*d \"%4095[^\"]\"", path) != 1)
        return false;
    if (strncmp(path, "./", 2) == 0)
        memmove(path, path + 2, strlen(path + 2) + 1);
    return true;
}

/* What ends in two slashes is the folder in which the compiler ran. */
static bool may_include(const char *path, const char *own)
{
    static const char *const folders[] = {
        "/usr/*",       "gil/*.h",       "objects/*.h", "coroutines/*.h", "benches/*.h",
        "lab/random.h", "build/*/gen/*", "<*>",         "/*//",           NULL
    };
    static const char *const solutions[] = { "objects/refcount/*", "*/tests/*", "*/wrong/*", NULL };

    /* By which everything that is no policy is looked at (assignment.mk). */
    if (!strstr(own, "/refcount/") && strcmp(path, "objects/refcount/plain.h") == 0)
        return true;
    return !strstr(path, "..") &&
           (strcmp(path, own) == 0 || (matches(path, folders) && !matches(path, solutions)));
}

/* Attributes: data among code is code, and what no sanitizer sees passes all of them. */
static void look_for_attributes(const char *at, const char *end, const char *name,
                                const char *reference, char *said)
{
    static const char *const sections[] = { "section", "__section__", NULL };
    static const char *const overlooked[] = { "no_sanitize", "__no_sanitize", "disable_sanitizer" };
    const char *word;
    size_t length;

    while ((word = lexer_identifier(&at, end, &length))) {
        const char *open = at + strspn(at, blanks);

        if (is_one_of(word, length, sections) && *open == '(' &&
            open[1 + strspn(open + 1, blanks)] == '"')
            say(said, "%s: a section of its own is not for a submission", name);
        for (size_t i = 0; i < sizeof overlooked / sizeof *overlooked; i++)
            if (begins(word, length, overlooked[i]) && !strstr(reference, overlooked[i]))
                say(said, "%s: %.*s is not for a submission", name, (int)length, word);
    }
}

/* A line that came from the submission's file. */
static void look_at_line(const char *line, const char *end, const char *own, const char *reference,
                         char *said)
{
    const char *name = strrchr(own, '/') + 1;

    if (line[strspn(line, blanks)] == '#')
        say(said, "%s: a pragma is not for a submission", name);
    look_for_assembly(line, end, name, said);
    look_for_attributes(line, end, name, reference, said);
}

void rules_of_preprocessed(const char *text, const char *own, const char *main_file,
                           const char *reference, char *said)
{
    char path[PATH_MAX] = "";

    for (const char *line = text, *end; *line; line = *end ? end + 1 : end) {
        end = strchrnul(line, '\n');
        if (!read_marker(line, path)) {
            if (strcmp(path, own) == 0)
                look_at_line(line, end, own, reference, said);
        } else if (strcmp(path, main_file) != 0 && !may_include(path, own)) {
            say(said,
                "%s includes %.200s: only headers of gil/, objects/, coroutines/ and benches/, "
                "no solutions, and the system's",
                strrchr(own, '/') + 1, path);
        }
    }
}

/* ---- the object's names ---- */

/* What every kind may call: nothing that leaves the process, ends it, or speaks. */
static const char *const harmless[] = {
    "mem[cms]*",
    "str[clnrps]*",
    "malloc",
    "calloc",
    "realloc",
    "free",
    "aligned_alloc",
    "pthread_mutex_*",
    "pthread_mutexattr_*",
    "pthread_cond_*",
    "pthread_condattr_*",
    "pthread_self",
    "pthread_equal",
    "clock_gettime",
    "sched_yield",
    "nanosleep",
    "snprintf",
    "vsnprintf",
    "qsort",
    "__assert_fail",
    "__errno_location",
    "__tls_get_addr",
    "_GLOBAL_OFFSET_TABLE_",
    "__stack_chk_fail",
    "__atomic_*",
    "__mem*_chk",
    "__*snprintf_chk",
    NULL,
};

/* ... and of the lab: what the floors under it offer. */
static const char *const offered[][12] = {
    [WORK_POLICY] = { "thread_*", "world_*", "rc_*", "stats_*", "reclaim_*", "lot_*", NULL },
    [WORK_LOCK] = { "thread_*", "world_*", "gil_watch*", "lot_*", NULL },
    [WORK_WORKLOAD] = { NULL },
    [WORK_COROUTINES] = { NULL },
};

/* Of objects/, what is named otherwise than after its header: kinds of exceptions, calls,
 * attributes, and what inline functions use. */
static const char *const of_objects[] = {
    "*[a-z]_error", "stop_iteration", "generator_exit", "call", "call_method", "iterate",
    "instance_*",   "attribute_*",    "free_later",     "heap", NULL,
};

/* Of the floors, too, but no affair of a submission: the process. */
static const char *const of_processes[] = { "thread_fork", "*_before_fork", "*_after_fork", NULL };

/* A name whose prefix is a header: list_append of objects/list.h. Not of coroutines/ or benches/:
 * there are processes, files and servers; what is needed of these the lab's own file takes, too. */
static bool is_of_a_header(const char *name)
{
    static const char *const folders[] = { "objects", "gil" };
    char path[PATH_MAX];

    for (size_t length = strcspn(name, "_"); name[length];
         length += 1 + strcspn(name + length + 1, "_"))
        for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
            FILE *file;

            snprintf(path, sizeof path, "%s/%.*s.h", folders[i], (int)length, name);
            file = fopen(path, "r");
            if (file) {
                fclose(file);
                return true;
            }
        }
    return false;
}

/* Whether a line of nm -P begins with this name, and says that it is defined, or not. */
static bool lists(const char *listing, const char *name, bool defined)
{
    for (const char *line = listing, *end; *line; line = *end ? end + 1 : end) {
        size_t length = strcspn(line, " \n");

        end = strchrnul(line, '\n');
        if (lexer_is(line, length, name) && line[length] == ' ' &&
            (strchr("Uwv", line[length + 1]) == NULL) == defined)
            return true;
    }
    return false;
}

static bool may_call(const char *name, const char *reference, const struct assignment *a)
{
    if (matches(name, of_processes))
        return false;
    return matches(name, harmless) || matches(name, offered[a->work]) ||
           matches(name, a->may_call.item) || lists(reference, name, false) ||
           (a->work >= WORK_WORKLOAD && (matches(name, of_objects) || is_of_a_header(name)));
}

/* gil_mine, workload_mine, mine_... */
static bool is_its_own(const char *name, const char *own)
{
    static const char *const forms[] = { "gil_%.*s", "workload_%.*s", "%.*s_*" };
    const char *stem = strrchr(own, '/') + 1;
    char pattern[200];

    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        snprintf(pattern, sizeof pattern, forms[i], (int)strcspn(stem, "."), stem);
        if (fnmatch(pattern, name, 0) == 0)
            return true;
    }
    return false;
}

/* And what the lab's file defines. */
static bool may_define_symbol(const char *name, const char *own, const char *reference)
{
    return is_its_own(name, own) || begins(name, strlen(name), "rc_") ||
           lists(reference, name, true);
}

void rules_of_symbols(const char *listing, const char *own, const char *reference,
                      const struct assignment *a, char *said)
{
    const char *file = strrchr(own, '/') + 1;
    char name[256], type;

    for (const char *line = listing, *end; *line; line = *end ? end + 1 : end) {
        end = strchrnul(line, '\n');
        if (sscanf(line, "%255s %c", name, &type) != 2)
            continue;
        if (strchr("Uwv", type) && !is_its_own(name, own) && !may_call(name, reference, a))
            say(said, "%s uses %s: it is not among what this assignment may call", file, name);
        else if (type == 'i')
            say(said, "%s: %s is chosen before main, by code of its own", file, name);
        else if (isupper((unsigned char)type) && type != 'U' &&
                 !may_define_symbol(name, own, reference))
            say(said, "%s defines %s for others: make it static", file, name);
    }
}

/* ---- all of it ---- */

static char *read_whole(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t room = 0;

    if (file && getdelim(&text, &room, '\0', file) < 0) {
        free(text);
        text = NULL;
    }
    if (file)
        fclose(file);
    return text ? text : calloc(1, 1);
}

/* What a tool says of a file; "" if nothing. To be freed. */
static char *tool_says(const char *tool, const char *option, const char *path)
{
    const char *arguments[] = { tool, option, path, NULL };
    struct process_report report;
    char *text = NULL;

    if (submission_tool(arguments, &report))
        text = strdup(report.out.bytes);
    process_report_free(&report);
    return text ? text : calloc(1, 1);
}

static void look_at_sections(const char *object, const char *name, char *said)
{
    static const char *const early[] = { ".init", ".fini", ".preinit", ".ctors", ".dtors" };
    char *sections = tool_says("readelf", "-SW", object);

    for (size_t i = 0; i < sizeof early / sizeof *early; i++)
        if (strstr(sections, early[i]))
            say(said, "%s: nothing of a submission runs before main or after it (%s)", name,
                early[i]);
    free(sections);
}

/* What the compiler says, as an answer to the student: paths are those of the copy. True if it was
 * not the submission's fault. */
static bool say_compiler(const struct process_report *report, char *said)
{
    const char *words = report->error.bytes ? report->error.bytes : "";

    bool again = submission_was_hindered(report);

    if (again)
        say(said, "it was not compiled, for lack of time, of memory, of room or of a compiler");
    else
        say(said, "it does not compile:\n%.300s", words);
    return again;
}

static void look_at_text(const char *seen, const char *own, const char *from, char *said)
{
    char *text = read_whole(seen), *reference = read_whole(from), main_file[PATH_MAX] = "";

    lexer_strip(text);
    read_marker(text, main_file);
    rules_of_preprocessed(text, own, main_file, reference, said);
    free(text);
    free(reference);
}

static void look_at_object(const struct submission *s, const char *own, const char *object,
                           const char *from, char *said)
{
    char *listing = tool_says("nm", "-P", object), *reference = tool_says("nm", "-P", from);

    look_at_sections(object, strrchr(own, '/') + 1, said);
    rules_of_symbols(listing, own, reference, s->assignment, said);
    free(listing);
    free(reference);
}

/* In debug, for a sanitizer adds names; also with a macro that other builds have. True if the
 * machine did not let us. */
static bool look_at_built(const struct submission *s, const char *own, const char *from,
                          const char *also, char *said)
{
    const char *name = strrchr(own, '/') + 1;
    const int stem = (int)strcspn(name, ".");
    char built[PATH_MAX], target[3][100], path[3][PATH_MAX + 400];
    const char *const targets[] = { target[0], target[1], target[2], NULL };
    struct process_report report;
    bool again = false;

    snprintf(target[0], sizeof target[0], "rules/%.*s.i", stem, name);
    snprintf(target[1], sizeof target[1], "rules/%.*s.o", stem, name);
    snprintf(target[2], sizeof target[2], "rules/from.o");
    submission_built(s, "debug", built, sizeof built);
    for (int i = 0; i < 3; i++)
        snprintf(path[i], sizeof path[i], "%s/%s", built, target[i]);
    if (submission_make(s, "debug", from, also, targets, &report)) {
        look_at_text(path[0], own, from, said);
        look_at_object(s, own, path[1], path[2], said);
    } else {
        again = say_compiler(&report, said);
    }
    process_report_free(&report);
    return again;
}

enum result rules_look(const struct submission *s, char **said)
{
    char line[SAID_BYTES] = "", own[PATH_MAX];
    bool again = false;

    for (int i = 0; i < s->assignment->files && !*line; i++) {
        const struct handed_in *f = &s->assignment->file[i];
        char *text;

        if (!ends(f->path, strlen(f->path), ".c") && !ends(f->path, strlen(f->path), ".h"))
            continue; /* it is read, and not compiled */
        snprintf(own, sizeof own, "%s/%s", s->copy, f->path);
        text = read_whole(own);
        rules_of_text(text, strrchr(own, '/') + 1, ends(f->path, strlen(f->path), ".h"), line);
        if (!*line)
            again = look_at_built(s, own, f->from, NULL, line);
        lexer_strip(text);
        for (const char *const *asked = asked_for; *asked && !*line; asked++)
            if (strstr(text, *asked))
                again = look_at_built(s, own, f->from, *asked, line);
        free(text);
    }
    *said = *line ? strdup(line) : NULL;
    return again ? RESULT_AGAIN : *line ? RESULT_FAILED : RESULT_PASSED;
}
