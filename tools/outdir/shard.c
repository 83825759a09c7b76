/* A process is one of R that a launcher has started in a job, and the job is one of A in an array (of Slurm
   or Kubernetes).  There are N = A R shards; process r of job a is shard I = a R + r. */
#include "outdir/shard.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"

/* Returns the whole number at the start of *text and moves *text behind it; -1: there is no number. */
static long take_number(const char **text)
{
    char *end;
    if (**text < '0' || **text > '9')
        return -1;
    long v = strtol(*text, &end, 10);
    *text = end;
    return v;
}

/* Reads the value of an environment variable; `fallback` if it is not set or empty. */
static int variable(long *value, const char *name, long fallback, ddpm_error *err)
{
    const char *text = getenv(name), *end = text;
    *value = fallback;
    if (!text || !*text)
        return DDPM_OK;

    *value = take_number(&end);
    if (*value < 0 || *end || *value > INT32_MAX)
        return dd_error(err, DDPM_EUSAGE,
                        "the variable %s is \"%.40s\", expected a whole number: unset it, or give --shard "
                        "I/N (0/1: all images)",
                        name, text);
    return DDPM_OK;
}

/* Splits every shard into `count` and takes number `place` of them, as the variable `name` says. */
static int add(struct shard *s, const char *name, long place, long count, ddpm_error *err)
{
    if (place < 0 || place >= count || count > SHARDS_MAX / s->of)
        return dd_error(err, DDPM_EUSAGE,
                        "the variables of %s make this shard %ld of %ld: give --shard I/N (0/1: all images)",
                        name, place, count);
    if (count == 1)
        return DDPM_OK;

    s->number = (int)(s->number * count + place);
    s->of = (int)(s->of * count);

    size_t n = strlen(s->source);
    snprintf(s->source + n, sizeof s->source - n, "%s%s=%.10s", n ? ", " : "", name, getenv(name));
    return DDPM_OK;
}

/* Adds the place in an array of Slurm.  Its tasks may be numbered from any number, in any even steps.  Uneven
   ones such as 1,2,5 are refused, as the place of a task could not be told.  SLURM_ARRAY_TASK_STEP is not
   read: Slurm sets it to 1 for every list, even for 1,3. */
static int add_slurm_array(struct shard *s, ddpm_error *err)
{
    long id, count, low, high;
    int code = variable(&id, "SLURM_ARRAY_TASK_ID", -1, err);
    if (code || id < 0)
        return code;

    code = variable(&count, "SLURM_ARRAY_TASK_COUNT", 1, err);
    if (!code)
        code = variable(&low, "SLURM_ARRAY_TASK_MIN", 0, err);
    if (!code)
        code = variable(&high, "SLURM_ARRAY_TASK_MAX", low + count - 1, err);
    if (code)
        return code;

    long step = count > 1 ? (high - low) / (count - 1) : 1;
    if (step < 1 || (count > 1 && (high - low) % (count - 1)) || (id - low) % step)
        return dd_error(
            err, DDPM_EUSAGE,
            "the %ld tasks of this Slurm array, %ld to %ld, are no row of even steps: give --shard I/N",
            count, low, high);
    return add(s, "SLURM_ARRAY_TASK_ID", count > 1 ? (id - low) / step : 0, count, err);
}

/* Adds the place in an indexed job of Kubernetes.  It tells a pod its index, but not how many pods there are:
   JOB_COMPLETIONS is set by the user. */
static int add_kubernetes(struct shard *s, ddpm_error *err)
{
    long index, count;
    int code = variable(&index, "JOB_COMPLETION_INDEX", -1, err);
    if (code || index < 0)
        return code;

    code = variable(&count, "JOB_COMPLETIONS", 0, err);
    if (code)
        return code;
    if (count < 1)
        return dd_error(err, DDPM_EUSAGE,
                        "JOB_COMPLETION_INDEX is %ld, and nothing says of how many: set JOB_COMPLETIONS to "
                        "the job's completions, or give --shard I/N",
                        index);
    return add(s, "JOB_COMPLETION_INDEX", index, count, err);
}

/* Adds the rank from the innermost launcher.  A batch script of Slurm has SLURM_PROCID too, but only a
   process that srun has started has SLURM_STEP_NUM_TASKS. */
static int add_launcher(struct shard *s, ddpm_error *err)
{
    static const char *const names[][2] = { { "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE" },
                                            { "PMI_RANK", "PMI_SIZE" },
                                            { "SLURM_PROCID", "SLURM_STEP_NUM_TASKS" } };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        long rank, size;
        int code = variable(&size, names[i][1], 0, err);
        if (code)
            return code;
        if (size <= 0)
            continue;

        code = variable(&rank, names[i][0], -1, err);
        if (code)
            return code;
        if (rank >= 0)
            return add(s, names[i][0], rank, size, err);
    }
    return DDPM_OK;
}

/* Reads "I/N". */
static int read_text(struct shard *s, const char *text, ddpm_error *err)
{
    const char *end = text;
    long number = take_number(&end), of = -1;
    if (*end == '/') {
        end++;
        of = take_number(&end);
    }
    if (number < 0 || of < 1 || *end || of > SHARDS_MAX || number >= of)
        return dd_error(err, DDPM_EUSAGE, "--shard %.40s: expected auto, or I/N such as 0/4, I at most N - 1",
                        text);

    s->number = (int)number;
    s->of = (int)of;
    return DDPM_OK;
}

/* Reads the place of a job from the variables that its scheduler and its launcher set. */
static int read_variables(struct shard *s, ddpm_error *err)
{
    int code = add_slurm_array(s, err);
    if (!code)
        code = add_kubernetes(s, err);
    return code ? code : add_launcher(s, err);
}

int shard_read(struct shard *s, const char *text, ddpm_error *err)
{
    *s = (struct shard){ .of = 1, .asked = text };
    bool given = text && strcmp(text, "auto");
    int code = given ? read_text(s, text, err) : read_variables(s, err);
    if (!code && s->of > 1)
        snprintf(s->part, sizeof s->part, "-%d-of-%d", s->number, s->of);
    return code;
}

void shard_take(const struct shard *s, uint32_t *index, int *n)
{
    int kept = 0;
    for (int i = s->number; i < *n; i += s->of)
        index[kept++] = index[i];
    *n = kept;
}

void shard_tell(const struct shard *s, const struct command *command, const struct common *c, int n, int all)
{
    ddpm_error said;
    if (s->asked && *s->source)
        remark(command, c, "shard %d/%d, as %s says: %d of %d images", s->number, s->of, s->source, n, all);
    if (s->asked)
        return;

    dd_error(&said, DDPM_OK,
             "shard %d/%d, as %s says: %d of %d images, and exit code 75 until all are there; "
             "--shard auto if that is meant, --shard 0/1 for all",
             s->number, s->of, s->source, n, all);
    complain(command, &said);
}
