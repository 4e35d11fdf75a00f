import { checked, libc } from './libc.ts';

const prctlCall = libc.func(
  'int prctl(int option, unsigned long second, unsigned long third, unsigned long fourth, unsigned long fifth)',
);

const PR_SET_CHILD_SUBREAPER = 36;

/** Makes orphaned descendants children of this process. Not inherited by children, kept over execve. */
export function becomeSubreaper(): void {
  checked(prctlCall(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 'prctl PR_SET_CHILD_SUBREAPER');
}
