// Starting a child process under limits, and waiting for it.
//
// Swift cannot call fork(), and posix_spawn() can set neither resource limits nor another user, so the few calls that
// must run between fork() and exec() live here, in C, where only async-signal-safe functions are used.
//
// Swift:
//     var options = qsm_spawn_defaults()
//     options.executable = path; options.argv = argv; options.envp = envp       // pointers must outlive the call
//     options.stdout_fd = logDescriptor
//     options.address_space_bytes = 2 << 30
//     var failure = qsm_spawn_failure()
//     let pid = qsm_spawn(&options, &failure)
//     guard pid > 0 else { throw … failure.code (an errno), qsm_spawn_step_name(failure.step) … }
//     …
//     qsm_await_exit(pid, -1)          // blocks its thread; the process is not reaped, so its group id stays reserved
//     kill(-pid, SIGKILL)              // whatever the child left behind in its group
//     var ended = qsm_exit_status(); qsm_wait4(pid, &ended)

#ifndef QSM_CSPAWN_H
#define QSM_CSPAWN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Where the child stands towards signals from the terminal and from its group's killer.
enum qsm_process_group {
    /// The caller's process group.
    QSM_GROUP_INHERITED = 0,
    /// A process group of its own, whose id is the child's pid: `kill(-pid, …)` reaches all of it.
    QSM_GROUP_NEW = 1,
    /// A session of its own (and so a group of its own), detached from the terminal.
    QSM_GROUP_NEW_SESSION = 2,
};

/// Everything about a child. Obtain one from `qsm_spawn_defaults`, then change what matters.
struct qsm_spawn_options {
    /// Path of the program, not searched for in PATH. Required.
    const char *_Nullable executable;
    /// NULL-terminated arguments; the first is the program's name. Required.
    char *_Nullable const *_Nullable argv;
    /// NULL-terminated environment, complete: nothing is inherited. NULL means an empty one.
    char *_Nullable const *_Nullable envp;
    /// Entered after the change of user. NULL: the caller's.
    const char *_Nullable working_directory;
    /// Descriptors that become the child's 0, 1, 2; -1 means /dev/null. Every other descriptor is closed at exec.
    int stdin_fd, stdout_fd, stderr_fd;
    /// One of `qsm_process_group`. Default: QSM_GROUP_NEW.
    int process_group;
    /// Signal the kernel sends the child when this process dies, however it dies; 0: none. Default 0. The child does
    /// not pass it on to its own children.
    int parent_death_signal;
    /// Become this user, group and no supplementary group (needs root). Default false.
    bool change_user;
    uid_t user_id;
    gid_t group_id;
    /// Limits; negative leaves the caller's. A limit above the caller's hard limit is lowered to it.
    int64_t address_space_bytes;
    /// SIGXCPU at the limit, SIGKILL 5 s of processor time later.
    int64_t cpu_seconds;
    int64_t file_size_bytes;
    /// Size of a core dump. Default 0: none.
    int64_t core_bytes;
    /// Number of open descriptors.
    int64_t open_files;
    /// Added to the niceness. Default 0.
    int nice_increment;
    /// Written to /proc/self/oom_score_adj when above 0, so that the kernel takes the child before its parent when
    /// memory runs out. Best effort. Default 0.
    int oom_score_adjust;
    /// File mode creation mask; negative leaves the caller's. Default -1.
    int file_mode_mask;
};

/// The step at which starting a child failed.
enum qsm_spawn_step {
    QSM_STEP_NONE = 0,
    QSM_STEP_ARGUMENTS,
    QSM_STEP_THREAD,
    QSM_STEP_PIPE,
    QSM_STEP_FORK,
    QSM_STEP_PROCESS_GROUP,
    QSM_STEP_DESCRIPTORS,
    QSM_STEP_LIMITS,
    QSM_STEP_USER,
    QSM_STEP_PARENT_DEATH_SIGNAL,
    QSM_STEP_WORKING_DIRECTORY,
    QSM_STEP_EXEC,
};

/// Why a child did not start.
struct qsm_spawn_failure {
    /// One of `qsm_spawn_step`.
    int step;
    /// An errno value.
    int code;
};

/// How a child ended, and what it and the descendants it waited for used.
struct qsm_exit_status {
    /// True when it called exit; false when a signal ended it.
    bool exited;
    /// Exit code when `exited`, else 0.
    int code;
    /// Signal when not `exited`, else 0.
    int signal;
    bool dumped_core;
    /// Largest resident set, bytes; counts that of the fork before exec too, so never below the parent's at that time.
    int64_t peak_resident_bytes;
    int64_t user_microseconds;
    int64_t system_microseconds;
    int64_t major_page_faults;
    int64_t blocks_read, blocks_written;
};

/// Options of a child in a group of its own, /dev/null for its three descriptors, no core dump, no other limit.
struct qsm_spawn_options qsm_spawn_defaults(void);

/// Starts a child. Thread-safe. Blocks until the program has replaced the fork, or has failed to.
///
/// All forks are made by one thread that never ends: the kernel's "parent death" signal is tied to the *thread* that
/// forked, and a pool's thread may end long before the process does.
///
/// Returns the pid, or -1 with the reason in `failure`; a child that failed to start has been reaped.
pid_t qsm_spawn(const struct qsm_spawn_options *_Nonnull options, struct qsm_spawn_failure *_Nonnull failure);

/// A few words for a step, such as "entering the working directory".
const char *_Nonnull qsm_spawn_step_name(int step);

/// Waits until child `pid` has ended, without reaping it: its pid and group id stay reserved until `qsm_wait4`.
///
/// timeout_milliseconds: negative waits for ever, 0 only looks.
/// Returns 1 when it has ended, 0 when the time ran out, or a negative errno (-ECHILD: no such child).
int qsm_await_exit(pid_t pid, int timeout_milliseconds);

/// Waits until any process, child or not, has ended. Does not reap it.
///
/// wake_fd: a descriptor that ends the wait when it becomes readable, or -1.
/// timeout_milliseconds: negative waits for ever.
/// Returns 1 when it has ended (or never existed), 2 when woken, 0 when the time ran out, or a negative errno.
int qsm_await_process(pid_t pid, int wake_fd, int timeout_milliseconds);

/// Reaps child `pid`, waiting for its end.
///
/// Returns 1, or a negative errno (-ECHILD: no such child).
int qsm_wait4(pid_t pid, struct qsm_exit_status *_Nonnull status);

/// As `qsm_wait4`, but returns 0 at once when the child still runs.
int qsm_wait4_nonblocking(pid_t pid, struct qsm_exit_status *_Nonnull status);

/// Lets two paths change places in one step: at no moment is either missing.
///
/// Returns 0, or -1 with the reason in errno (EINVAL, ENOSYS: the file system or the kernel cannot).
int qsm_exchange(const char *_Nonnull a, const char *_Nonnull b);

/// The number by which the kernel knows the kind of file system that a path lies on (`f_type`); 0 where it is not known.
unsigned int qsm_file_system_kind(const char *_Nonnull path);

#ifdef __cplusplus
}
#endif

#endif
