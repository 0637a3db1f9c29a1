// See include/cspawn.h. Between fork() and exec() only async-signal-safe functions are called: another thread may hold
// any lock of the parent (the allocator's, the dynamic linker's), and in the child nobody will ever release it.

#define _GNU_SOURCE
#include "include/cspawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#ifdef __linux__
#include <sys/statfs.h>
#endif
#include <unistd.h>

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

struct qsm_spawn_options qsm_spawn_defaults(void) {
    struct qsm_spawn_options options;
    memset(&options, 0, sizeof options);
    options.stdin_fd = options.stdout_fd = options.stderr_fd = -1;
    options.process_group = QSM_GROUP_NEW;
    options.address_space_bytes = options.cpu_seconds = options.file_size_bytes = options.open_files = -1;
    options.core_bytes = 0;
    options.file_mode_mask = -1;
    return options;
}

const char *qsm_spawn_step_name(int step) {
    switch (step) {
    case QSM_STEP_NONE: return "nothing";
    case QSM_STEP_ARGUMENTS: return "reading the arguments";
    case QSM_STEP_THREAD: return "starting the forking thread";
    case QSM_STEP_PIPE: return "making a pipe";
    case QSM_STEP_FORK: return "forking";
    case QSM_STEP_PROCESS_GROUP: return "making a process group";
    case QSM_STEP_DESCRIPTORS: return "setting up the standard descriptors";
    case QSM_STEP_LIMITS: return "setting resource limits";
    case QSM_STEP_USER: return "changing the user";
    case QSM_STEP_PARENT_DEATH_SIGNAL: return "tying the child to its parent";
    case QSM_STEP_WORKING_DIRECTORY: return "entering the working directory";
    case QSM_STEP_EXEC: return "executing the program";
    default: return "an unknown step";
    }
}

// MARK: in the child

static _Noreturn void give_up(int report_fd, int step, int code) {
    struct qsm_spawn_failure failure = {step, code};
    ssize_t written;
    do {
        written = write(report_fd, &failure, sizeof failure);
    } while (written < 0 && errno == EINTR);
    _exit(127);
}

static int lower_limit(int resource, int64_t soft, int64_t hard) {
    if (soft < 0) {
        return 0;
    }
    struct rlimit limit;
    if (getrlimit(resource, &limit) != 0) {
        return -1;
    }
    rlim_t wanted_soft = (rlim_t)soft, wanted_hard = (rlim_t)hard;
    if (limit.rlim_max != RLIM_INFINITY) {
        wanted_soft = wanted_soft < limit.rlim_max ? wanted_soft : limit.rlim_max;
        wanted_hard = wanted_hard < limit.rlim_max ? wanted_hard : limit.rlim_max;
    }
    limit.rlim_cur = wanted_soft;
    limit.rlim_max = wanted_hard;
    return setrlimit(resource, &limit);
}

// A handler of the parent must not run in the child, and an ignored signal would stay ignored through exec: a child
// that ignores SIGPIPE writes for ever into a pipe nobody reads.
static void reset_signals(void) {
    // The kernel's own form of sigaction, whose zero is "the default action" on every architecture: the C library's
    // wrapper refuses the two real-time signals it uses itself, which a parent may have left ignored.
    static const char standard[64];
    for (int number = 1; number < NSIG; number++) {
        // SIGKILL and SIGSTOP refuse; they need no reset.
        syscall(SYS_rt_sigaction, number, standard, NULL, (size_t)8);
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void close_at_exec(void) {
    if (syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) == 0) {
        return;
    }
    // Kernels before 5.11.
    struct rlimit limit;
    int last = 65536;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < (rlim_t)last) {
        last = (int)limit.rlim_cur;
    }
    for (int descriptor = 3; descriptor < last; descriptor++) {
        fcntl(descriptor, F_SETFD, FD_CLOEXEC);
    }
}

static int set_descriptors(const struct qsm_spawn_options *options) {
    const int wanted[3] = {options->stdin_fd, options->stdout_fd, options->stderr_fd};
    int moved[3];
    // First away from 0…2, so that no dup2 below overwrites a source still needed.
    for (int i = 0; i < 3; i++) {
        int source = wanted[i] >= 0 ? wanted[i] : open("/dev/null", i == 0 ? O_RDONLY : O_WRONLY);
        if (source < 0) {
            return -1;
        }
        moved[i] = fcntl(source, F_DUPFD_CLOEXEC, 3);
        if (moved[i] < 0) {
            return -1;
        }
    }
    for (int i = 0; i < 3; i++) {
        if (dup2(moved[i], i) < 0) {
            return -1;
        }
    }
    close_at_exec();
    return 0;
}

static _Noreturn void run_child(const struct qsm_spawn_options *options, pid_t parent, int pipe_fd) {
    // The report must not sit on a descriptor that becomes standard input or output.
    int report = fcntl(pipe_fd, F_DUPFD_CLOEXEC, 3);
    if (report < 0) {
        give_up(pipe_fd, QSM_STEP_DESCRIPTORS, errno);
    }
    reset_signals();

    if (options->process_group == QSM_GROUP_NEW && setpgid(0, 0) != 0) {
        give_up(report, QSM_STEP_PROCESS_GROUP, errno);
    }
    if (options->process_group == QSM_GROUP_NEW_SESSION && setsid() < 0) {
        give_up(report, QSM_STEP_PROCESS_GROUP, errno);
    }
    if (set_descriptors(options) != 0) {
        give_up(report, QSM_STEP_DESCRIPTORS, errno);
    }
    if (options->oom_score_adjust > 0) {
        char text[12];
        int length = 0, value = options->oom_score_adjust > 1000 ? 1000 : options->oom_score_adjust;
        for (int digits = value; digits > 0; digits /= 10) {
            length++;
        }
        for (int i = length - 1, digits = value; i >= 0; i--, digits /= 10) {
            text[i] = (char)('0' + digits % 10);
        }
        int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
        if (file >= 0) {
            // Best effort, as documented: a container may forbid it.
            ssize_t ignored = write(file, text, (size_t)length);
            (void)ignored;
            close(file);
        }
    }
    if (options->nice_increment != 0) {
        errno = 0;
        if (nice(options->nice_increment) == -1 && errno != 0) {
            give_up(report, QSM_STEP_LIMITS, errno);
        }
    }
    if (lower_limit(RLIMIT_CORE, options->core_bytes, options->core_bytes) != 0
        || lower_limit(RLIMIT_CPU, options->cpu_seconds, options->cpu_seconds + 5) != 0
        || lower_limit(RLIMIT_FSIZE, options->file_size_bytes, options->file_size_bytes) != 0
        || lower_limit(RLIMIT_NOFILE, options->open_files, options->open_files) != 0
        || lower_limit(RLIMIT_AS, options->address_space_bytes, options->address_space_bytes) != 0) {
        give_up(report, QSM_STEP_LIMITS, errno);
    }
    if (options->file_mode_mask >= 0) {
        umask((mode_t)options->file_mode_mask);
    }
    if (options->change_user) {
        // The C library's wrappers would signal every thread of the process to change too; in a fork there is only
        // this one, and the plain system calls are async-signal-safe.
        gid_t groups[1] = {options->group_id};
        if (syscall(SYS_setgroups, (size_t)1, groups) != 0
            || syscall(SYS_setresgid, options->group_id, options->group_id, options->group_id) != 0
            || syscall(SYS_setresuid, options->user_id, options->user_id, options->user_id) != 0) {
            give_up(report, QSM_STEP_USER, errno);
        }
    }
    // After the change of user, which clears it.
    if (options->parent_death_signal != 0) {
        if (prctl(PR_SET_PDEATHSIG, options->parent_death_signal, 0, 0, 0) != 0) {
            give_up(report, QSM_STEP_PARENT_DEATH_SIGNAL, errno);
        }
        if (getppid() != parent) {
            // The parent died before the line above: nobody will send the signal and nobody reads the report.
            _exit(127);
        }
    }
    if (options->working_directory != NULL && chdir(options->working_directory) != 0) {
        give_up(report, QSM_STEP_WORKING_DIRECTORY, errno);
    }
    char *const empty[] = {NULL};
    execve(options->executable, options->argv, options->envp != NULL ? options->envp : empty);
    give_up(report, QSM_STEP_EXEC, errno);
}

// MARK: in the parent, on the forking thread

static pid_t fork_and_exec(const struct qsm_spawn_options *options, struct qsm_spawn_failure *failure) {
    int report[2];
    if (pipe2(report, O_CLOEXEC) != 0) {
        *failure = (struct qsm_spawn_failure){QSM_STEP_PIPE, errno};
        return -1;
    }
    // No handler of ours may run in the child before it has reset them.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const pid_t parent = getpid();
    const pid_t child = fork();
    if (child == 0) {
        run_child(options, parent, report[1]);
    }
    const int fork_error = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(report[1]);
    if (child < 0) {
        close(report[0]);
        *failure = (struct qsm_spawn_failure){QSM_STEP_FORK, fork_error};
        return -1;
    }
    struct qsm_spawn_failure reported = {0, 0};
    ssize_t count;
    do {
        count = read(report[0], &reported, sizeof reported);
    } while (count < 0 && errno == EINTR);
    close(report[0]);
    if (count == 0) {
        return child;
    }
    if (count != (ssize_t)sizeof reported) {
        reported = (struct qsm_spawn_failure){QSM_STEP_EXEC, EIO};
    }
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {
    }
    *failure = reported;
    return -1;
}

struct request {
    const struct qsm_spawn_options *options;
    struct qsm_spawn_failure *failure;
    pid_t result;
    bool done;
    struct request *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t arrived = PTHREAD_COND_INITIALIZER;
static pthread_cond_t finished = PTHREAD_COND_INITIALIZER;
static struct request *first, *last;
static bool running;

static void *serve(void *unused) {
    (void)unused;
    pthread_mutex_lock(&lock);
    for (;;) {
        while (first == NULL) {
            pthread_cond_wait(&arrived, &lock);
        }
        struct request *request = first;
        first = request->next;
        if (first == NULL) {
            last = NULL;
        }
        pthread_mutex_unlock(&lock);
        pid_t result = fork_and_exec(request->options, request->failure);
        pthread_mutex_lock(&lock);
        request->result = result;
        request->done = true;
        pthread_cond_broadcast(&finished);
    }
    return NULL;
}

// Called with the lock held. Returns an errno.
static int ensure_running(void) {
    if (running) {
        return 0;
    }
    pthread_attr_t attributes;
    int code = pthread_attr_init(&attributes);
    if (code != 0) {
        return code;
    }
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    // Signals belong to the threads that expect them.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread;
    code = pthread_create(&thread, &attributes, serve, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    running = code == 0;
    return code;
}

pid_t qsm_spawn(const struct qsm_spawn_options *options, struct qsm_spawn_failure *failure) {
    *failure = (struct qsm_spawn_failure){QSM_STEP_NONE, 0};
    if (options->executable == NULL || options->argv == NULL || options->argv[0] == NULL) {
        *failure = (struct qsm_spawn_failure){QSM_STEP_ARGUMENTS, EINVAL};
        return -1;
    }
    struct request request = {options, failure, -1, false, NULL};
    pthread_mutex_lock(&lock);
    int code = ensure_running();
    if (code != 0) {
        pthread_mutex_unlock(&lock);
        *failure = (struct qsm_spawn_failure){QSM_STEP_THREAD, code};
        return -1;
    }
    if (last != NULL) {
        last->next = &request;
    } else {
        first = &request;
    }
    last = &request;
    pthread_cond_signal(&arrived);
    while (!request.done) {
        pthread_cond_wait(&finished, &lock);
    }
    pthread_mutex_unlock(&lock);
    return request.result;
}

// MARK: waiting

int qsm_await_exit(pid_t pid, int timeout_milliseconds) {
    siginfo_t info;
    memset(&info, 0, sizeof info);
    if (timeout_milliseconds > 0) {
        int descriptor = (int)syscall(SYS_pidfd_open, pid, 0U);
        if (descriptor < 0) {
            return errno == ESRCH ? -ECHILD : -errno;
        }
        struct pollfd entry = {descriptor, POLLIN, 0};
        int ready = poll(&entry, 1, timeout_milliseconds);
        int code = errno;
        close(descriptor);
        if (ready < 0 && code != EINTR) {
            return -code;
        }
    }
    const int flags = WEXITED | WNOWAIT | (timeout_milliseconds < 0 ? 0 : WNOHANG);
    while (waitid(P_PID, (id_t)pid, &info, flags) != 0) {
        if (errno != EINTR) {
            return -errno;
        }
    }
    return info.si_pid == pid ? 1 : 0;
}

int qsm_await_process(pid_t pid, int wake_fd, int timeout_milliseconds) {
    int descriptor = (int)syscall(SYS_pidfd_open, pid, 0U);
    if (descriptor < 0) {
        return errno == ESRCH ? 1 : -errno;
    }
    struct pollfd entries[2] = {{descriptor, POLLIN, 0}, {wake_fd, POLLIN, 0}};
    int ready;
    do {
        // An interruption starts the wait anew: a caller that counts on the time passes short ones.
        ready = poll(entries, 2, timeout_milliseconds);
    } while (ready < 0 && errno == EINTR);
    int code = errno;
    close(descriptor);
    if (ready < 0) {
        return -code;
    }
    if (entries[0].revents != 0) {
        return 1;
    }
    return ready > 0 ? 2 : 0;
}

static int64_t microseconds(struct timeval time) {
    return (int64_t)time.tv_sec * 1000000 + time.tv_usec;
}

static int reap(pid_t pid, int flags, struct qsm_exit_status *status) {
    struct rusage usage;
    int raw = 0;
    pid_t found;
    do {
        found = wait4(pid, &raw, flags, &usage);
    } while (found < 0 && errno == EINTR);
    if (found < 0) {
        return -errno;
    }
    if (found == 0) {
        return 0;
    }
    memset(status, 0, sizeof *status);
    status->exited = WIFEXITED(raw);
    status->code = WIFEXITED(raw) ? WEXITSTATUS(raw) : 0;
    status->signal = WIFSIGNALED(raw) ? WTERMSIG(raw) : 0;
    status->dumped_core = WIFSIGNALED(raw) && WCOREDUMP(raw);
    status->peak_resident_bytes = (int64_t)usage.ru_maxrss * 1024;
    status->user_microseconds = microseconds(usage.ru_utime);
    status->system_microseconds = microseconds(usage.ru_stime);
    status->major_page_faults = usage.ru_majflt;
    status->blocks_read = usage.ru_inblock;
    status->blocks_written = usage.ru_oublock;
    return 1;
}

int qsm_wait4(pid_t pid, struct qsm_exit_status *status) {
    return reap(pid, 0, status);
}

int qsm_wait4_nonblocking(pid_t pid, struct qsm_exit_status *status) {
    return reap(pid, WNOHANG, status);
}

int qsm_exchange(const char *a, const char *b) {
#ifdef RENAME_EXCHANGE
    return renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE);
#else
    (void)a, (void)b;
    errno = ENOSYS;
    return -1;
#endif
}

unsigned int qsm_file_system_kind(const char *path) {
#ifdef __linux__
    struct statfs found;
    return statfs(path, &found) == 0 ? (unsigned int)found.f_type : 0;
#else
    (void)path;
    return 0;
#endif
}
