/* Teams of threads. Every task of a loop runs once, and before the next loop, however threads are
   delayed, and bits do not depend on delays. No run hangs in a caller's world of forks, of several
   threads with a network each, or of OpenMP regions of its own. */
#include <stdatomic.h>
#include <unistd.h>
#include "net/gradient.h"
#include "tests/check.h"
#include "tests/host.h"
#include "tests/openmp.h"
#include "tests/small_nets.h"
#include "tests/teams.h"
#include <pthread.h>

enum { BATCH = 3, LOOPS = 40, TASKS_MOST = 300 };

static const int teams[] = { 1, 2, 3, 7 };

/* Delays one task in 32, by up to a millisecond. */
static void delay(uint32_t loop, size_t task)
{
    static _Atomic uint32_t calls;
    uint32_t x = (loop * 2654435761u ^ (uint32_t)task * 40503u) + atomic_fetch_add(&calls, 1);
    x = (x ^ x >> 15) * 0x2c1b3c6du;
    if (x >> 27 == 0)
        usleep(x % 1000);
}

/* Two arrays, and what the lengths of the loops begin with. */
struct loops {
    unsigned x[TASKS_MOST], y[TASKS_MOST];
    unsigned shape;
};

static void loops(struct dd_worker *worker, void *user)
{
    struct loops *l = user;
    unsigned *from = l->x, *to = l->y;
    for (unsigned loop = 0; loop < LOOPS; loop++) {
        size_t n = (loop * 7 + l->shape) * 37 % TASKS_MOST;
        DD_TASKS(worker, task, n)
            to[task] = from[task] + 1;
        /* The rest of the array is one thread's work, in the same round. */
        DD_ONCE(worker)
            for (size_t i = n; i < TASKS_MOST; i++)
                to[i] = from[i] + 1;

        /* The two arrays change places after each loop. */
        unsigned *other = from;
        from = to;
        to = other;
    }
}

/* Each loop's tasks add up what the loop before has left. The sum is wrong where a task is missing, runs
   twice or runs too early. */
static void run_loops(int threads, unsigned shape)
{
    struct loops l = { .shape = shape };
    unsigned wrong = 0;

    dd_parallel_run(team_of(threads), loops, &l);
    for (size_t i = 0; i < TASKS_MOST; i++)
        wrong += l.x[i] != LOOPS || l.y[i] != LOOPS - 1;
    if (wrong)
        check_fail(__FILE__, __LINE__, "%d threads, shape %u: %u tasks are wrong", threads, shape, wrong);
}

TEST(team, every_task_runs_once_in_its_loop)
{
    for (size_t i = 0; i < sizeof teams / sizeof *teams; i++)
        for (unsigned shape = 0; shape < 6; shape++) {
            dd_parallel_slow(team_of(teams[i]), shape % 2 ? delay : NULL);
            run_loops(teams[i], shape);
            dd_parallel_slow(team_of(teams[i]), NULL);
        }
}

enum { N = (1 << 21) + 12345 };

static void count(struct dd_worker *worker, void *user)
{
    unsigned char *seen = user;
    DD_TASKS(worker, task, N)
        seen[task]++;
}

/* A loop with more tasks than the word of a range holds. */
TEST(team, very_long_loops)
{
    unsigned char *seen = calloc(N, 1);
    size_t wrong = 0;
    REQUIRE(seen);
    dd_parallel_run(team_of(3), count, seen);
    for (size_t i = 0; i < N; i++)
        wrong += seen[i] != 1;
    CHECK(wrong == 0);
    free(seen);
}

/* How many tasks have begun, and how many have seen that all have. */
struct meeting {
    _Atomic int begun, met;
};

static void meet(struct dd_worker *worker, void *user)
{
    struct meeting *m = user;
    DD_TASKS(worker, task, 3) {
        m->begun++;
        for (int i = 0; i < 10000 && m->begun < 3; i++)
            usleep(1000);
        m->met += m->begun == 3;
    }
}

/* Three tasks that wait for each other need three threads. */
TEST(team, all_threads_take_part)
{
    for (int round = 0; round < 20; round++) {
        struct meeting m = { 0, 0 };
        dd_parallel_run(team_of(3), meet, &m);
        REQUIRE(m.met == 3);
    }
}

/* Runs both passes of a network in a team, delayed or not. Returns out, dx and the sums one behind the
   other; the caller frees them. */
static float *passes(size_t *size, const char *net, int threads, dd_parallel_delay *delayed)
{
    ddpm_model *m = small_net_create(net);
    struct dd_gradient *g = NULL;
    ddpm_error err = { 0, "" };
    struct dd_dropout masks = { 77, 5 };

    if (!m ||
        dd_gradient_create(&g, m, &(ddpm_net_options){ .batch = BATCH, .threads = threads }, 0.25, &err)) {
        check_fail(__FILE__, __LINE__, "%s: %s", net, err.text);
        return NULL;
    }

    struct small_batch b = small_batch_create(m, BATCH);
    size_t out = BATCH * b.outs, in = BATCH * b.in, sums = dd_gradient_count(g);
    *size = (out + in + sums) * sizeof(float);
    float *all = calloc(1, *size);
    struct dd_slice s = { .out = all,
                          .x = b.x,
                          .t = b.t,
                          .classes = b.classes,
                          .n = BATCH,
                          .masks = &masks,
                          .dout = all,
                          .dx = all + out };

    dd_parallel_slow(dd_gradient_team(g), delayed);
    dd_gradient_forward(g, &s);
    dd_gradient_backward(g, &s);
    memcpy(all + out + in, dd_gradient_sums(g), sums * sizeof(float));

    small_batch_free(&b);
    dd_gradient_free(g);
    ddpm_model_close(m);
    return all;
}

TEST(team, same_bits_when_tasks_are_delayed)
{
    static const char *const nets[] = { "wide", "lucid" };
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) {
        size_t size, one_size;
        float *one = passes(&one_size, nets[i], 1, NULL);
        for (size_t t = 1; t < sizeof teams / sizeof *teams && one; t++) {
            float *other = passes(&size, nets[i], teams[t], delay);
            if (other && (size != one_size || memcmp(one, other, size)))
                check_fail(__FILE__, __LINE__, "%s: %d threads give other bits", nets[i], teams[t]);
            free(other);
        }
        free(one);
    }
}

/* ---- the caller's world ---- */

/* Runs a network of one caller's own. Returns 0 when its output is in out. */
static int run_network(const ddpm_model *m, int threads, float *out, int rounds)
{
    ddpm_net_options o = { .batch = BATCH, .threads = threads };
    ddpm_error err;
    ddpm_net *net;
    int code = ddpm_net_create(&net, m, &o, &err);
    struct small_batch b = small_batch_create(m, BATCH);
    for (int i = 0; i < rounds && !code; i++)
        code = ddpm_net_run(net, out, b.x, b.t, b.classes, BATCH, &err);
    small_batch_free(&b);
    ddpm_net_free(net);
    return code;
}

static float *output(const ddpm_model *m)
{
    const ddpm_about *a = ddpm_model_about(m);
    return calloc(BATCH * (size_t)a->height * (size_t)a->width * (size_t)a->outputs, sizeof(float));
}

static size_t output_size(const ddpm_model *m)
{
    const ddpm_about *a = ddpm_model_about(m);
    return BATCH * (size_t)a->height * (size_t)a->width * (size_t)a->outputs * sizeof(float);
}

/* What a child process runs: its parent's network, and one of its own. */
struct child {
    const ddpm_model *m;
    ddpm_net *net;
    const struct small_batch *b;
    float *out;
};

/* Returns 0 if both compute what the parent has computed. */
static int run_in_child(void *user)
{
    const struct child *c = user;
    const struct small_batch *b = c->b;
    ddpm_error err;
    int same = !ddpm_net_run(c->net, c->out, b->x, b->t, b->classes, BATCH, &err) &&
               !memcmp(c->out, b->out, output_size(c->m));
    same = same && !run_network(c->m, 3, c->out, 1) && !memcmp(c->out, b->out, output_size(c->m));
    return same ? 0 : 1;
}

/* A child has none of its parent's threads, so neither the parent's network nor one of its own may wait
   for them. */
TEST(team, fork_after_use)
{
#ifdef __SANITIZE_THREAD__
    SKIP("the thread sanitizer does not know which threads a child has");
#endif
    ddpm_model *m = small_net_create("wide");
    ddpm_error err;
    ddpm_net *net;

    REQUIRE(m && !ddpm_net_create(&net, m, &(ddpm_net_options){ .batch = BATCH, .threads = 3 }, &err));
    struct small_batch b = small_batch_create(m, BATCH);
    float *out = output(m);
    CHECK(!ddpm_net_run(net, b.out, b.x, b.t, b.classes, BATCH, &err));

    int code = host_fork(run_in_child, &(struct child){ m, net, &b, out });
    if (code == HOST_NO_FORK)
        check_skip("this system cannot copy a process");
    else
        CHECK(code == 0);
    CHECK(!ddpm_net_run(net, out, b.x, b.t, b.classes, BATCH, &err) && !memcmp(out, b.out, output_size(m)));

    free(out);
    small_batch_free(&b);
    ddpm_net_free(net);
    ddpm_model_close(m);
}

struct caller {
    const ddpm_model *m;
    float *out;
    int code;
};

static void *call(void *user)
{
    struct caller *c = user;
    c->code = run_network(c->m, 2, c->out, 5);
    return NULL;
}

static void free_outputs(struct caller *c, int n)
{
    for (int i = 0; i < n; i++)
        free(c[i].out);
}

TEST(team, a_network_in_each_of_several_threads)
{
    enum { CALLERS = 3 };

    ddpm_model *m = small_net_create("plain");
    struct caller c[CALLERS + 1];
    pthread_t thread[CALLERS];
    REQUIRE(m);
    for (int i = 0; i <= CALLERS; i++)
        c[i] = (struct caller){ m, output(m), -1 };
    for (int i = 0; i < CALLERS; i++)
        REQUIRE(!pthread_create(&thread[i], NULL, call, &c[i]));
    call(&c[CALLERS]);
    for (int i = 0; i < CALLERS; i++)
        pthread_join(thread[i], NULL);
    for (int i = 0; i <= CALLERS; i++) {
        CHECK(c[i].code == 0);
        CHECK(!memcmp(c[i].out, c[0].out, output_size(m)));
    }
    free_outputs(c, CALLERS + 1);
    ddpm_model_close(m);
}

/* The caller has OpenMP regions before and after, and one in which every thread has a network of its
   own. */
TEST(team, callers_with_openmp)
{
    enum { CALLERS = 3 };

    ddpm_model *m = small_net_create("plain");
    struct caller c[CALLERS];
    REQUIRE(m);
    for (int i = 0; i < CALLERS; i++)
        c[i] = (struct caller){ m, output(m), -1 };
    for (int round = 0; round < 2; round++) {
        PRAGMA(omp parallel for num_threads(CALLERS))
        for (int i = 0; i < CALLERS; i++)
            call(&c[i]);
        call(&c[round]);
    }
    for (int i = 0; i < CALLERS; i++) {
        CHECK(c[i].code == 0);
        CHECK(!memcmp(c[i].out, c[0].out, output_size(m)));
    }
    free_outputs(c, CALLERS);
    ddpm_model_close(m);
}
