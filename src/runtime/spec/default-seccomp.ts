/**
 * The default system-call filter as facts: what Docker documents as allowed in a container ("Seccomp security profiles for
 * Docker"). Everything else fails with EPERM.
 */

/** Allowed to every container. */
export const alwaysAllowed: string =
  // processes, threads, identity, time
  'alarm brk capget capset execve execveat exit exit_group fork futex futex_requeue futex_time64 futex_wait futex_waitv ' +
  'futex_wake get_robust_list get_thread_area getcpu getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups ' +
  'getgroups32 getitimer getpgid getpgrp getpid getppid getpriority getrandom getresgid getresgid32 getresuid ' +
  'getresuid32 getrlimit getrusage getsid gettid gettimeofday getuid getuid32 ioprio_get ioprio_set kill membarrier ' +
  'nanosleep pause pidfd_open pidfd_send_signal prctl prlimit64 process_mrelease restart_syscall rseq rt_sigaction ' +
  'rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 ' +
  'rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam ' +
  'sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam ' +
  'sched_setscheduler sched_yield seccomp set_robust_list set_thread_area set_tid_address setfsgid setfsgid32 setfsuid ' +
  'setfsuid32 setgid setgid32 setgroups setgroups32 setitimer setpgid setpriority setregid setregid32 setresgid ' +
  'setresgid32 setresuid setresuid32 setreuid setreuid32 setrlimit setsid setuid setuid32 sigaltstack sigprocmask ' +
  'sigreturn sysinfo tgkill time times tkill ugetrlimit umask uname vfork wait4 waitid waitpid adjtimex clock_adjtime ' +
  'clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep ' +
  'clock_nanosleep_time64 timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime ' +
  'timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 uretprobe ' +
  'landlock_add_rule landlock_create_ruleset landlock_restrict_self riscv_hwprobe ' +
  // memory
  'madvise map_shadow_stack memfd_create memfd_secret mincore mlock mlock2 mlockall mmap mmap2 mprotect mremap mseal msync ' +
  'munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect remap_file_pages ' +
  // files
  'access cachestat chdir chmod chown chown32 close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2 ' +
  'fadvise64 fadvise64_64 fallocate fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl ' +
  'fcntl64 fdatasync fgetxattr flistxattr flock fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ' +
  'ftruncate ftruncate64 futimesat getcwd getdents getdents64 getxattr getxattrat inotify_add_watch inotify_init ' +
  'inotify_init1 inotify_rm_watch ioctl lchown lchown32 lgetxattr link linkat listmount listxattr listxattrat llistxattr ' +
  '_llseek lremovexattr lseek lsetxattr lstat lstat64 mkdir mkdirat mknod mknodat name_to_handle_at newfstatat open ' +
  'openat openat2 pipe pipe2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv ' +
  'removexattr removexattrat rename renameat renameat2 rmdir sendfile sendfile64 setxattr setxattrat splice stat stat64 ' +
  'statfs statfs64 statmount statx symlink symlinkat sync sync_file_range syncfs tee truncate truncate64 unlink unlinkat ' +
  'utime utimensat utimensat_time64 utimes vmsplice write writev ' +
  // waiting, sockets, System V and POSIX messages, asynchronous input and output
  'epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 ' +
  '_newselect poll ppoll ppoll_time64 pselect6 pselect6_time64 select signalfd signalfd4 accept accept4 bind connect ' +
  'getpeername getsockname getsockopt listen recv recvfrom recvmmsg recvmmsg_time64 recvmsg send sendmmsg sendmsg sendto ' +
  'setsockopt shutdown socketcall socketpair ipc mq_getsetattr mq_notify mq_open mq_timedreceive ' +
  'mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd semctl semget semop ' +
  'semtimedop semtimedop_time64 shmat shmctl shmdt shmget io_cancel io_destroy io_getevents io_pgetevents ' +
  'io_pgetevents_time64 io_setup io_submit';

/** Allowed from Linux 4.8 on, where tracing no longer gets around a filter. */
export const tracing = 'ptrace process_vm_readv process_vm_writev';

/** Allowed on one architecture. */
export const byArchitecture: Readonly<Record<'x64' | 'arm64', string>> = {
  x64: 'arch_prctl modify_ldt',
  arm64: 'arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls',
};

/** Allowed together with a capability. */
export const byCapability: Readonly<Record<string, string>> = {
  CAP_DAC_READ_SEARCH: 'open_by_handle_at',
  CAP_SYS_ADMIN:
    'bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount mount_setattr move_mount open_tree ' +
    'perf_event_open quotactl quotactl_fd setdomainname sethostname setns syslog umount umount2 unshare',
  CAP_SYS_BOOT: 'reboot',
  CAP_SYS_CHROOT: 'chroot',
  CAP_SYS_MODULE: 'delete_module init_module finit_module',
  CAP_SYS_PACCT: 'acct',
  CAP_SYS_PTRACE: 'kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace',
  CAP_SYS_RAWIO: 'iopl ioperm',
  CAP_SYS_TIME: 'settimeofday stime clock_settime clock_settime64',
  CAP_SYS_TTY_CONFIG: 'vhangup',
  CAP_SYS_NICE: 'get_mempolicy mbind set_mempolicy set_mempolicy_home_node',
  CAP_SYSLOG: 'syslog',
  CAP_BPF: 'bpf',
  CAP_PERFMON: 'perf_event_open',
};

/** Values of personality(2) that are allowed: Linux, UNAME26, the 32-bit forms, and asking. */
export const personalities: readonly number[] = [0, 8, 0x20000, 0x20008, 0xffffffff];

/** Flags of clone(2) that make namespaces; without CAP_SYS_ADMIN none may be set. */
export const NAMESPACE_CLONE_FLAGS = 0x7e020000;

/** Address families above this are unknown to Linux. */
export const LAST_ADDRESS_FAMILY = 46;

/** AF_ALG and AF_VSOCK: the kernel's crypto interface and the channel to the hypervisor. */
export const deniedFamilies: readonly number[] = [38, 40];
