import { docker, keep, settle, time, type Bench } from './measure.ts';
import { registryAddress, type Subject } from './subject.ts';

const large = `${registryAddress}/bench/large`;
const committed = 'bench/committed:1';
/** 5,000 small files and one of 200 MB, made of what the image holds. */
const changes =
  'mkdir /new; i=0; while [ $i -lt 5000 ]; do echo $i > /new/$i; i=$((i+1)); done; ' +
  'find /usr -type f -size +64k | head -n 4000 | xargs cat 2>/dev/null | head -c 200000000 > /new/large';

/** A large image's way through an engine whose file system is fresh. */
export async function largeImageRows(bench: Bench, subjects: readonly Subject[], round: number): Promise<void> {
  const each = async (work: (subject: Subject) => Promise<unknown>): Promise<void> => {
    for (let index = 0; index < subjects.length; index++) {
      const subject = subjects[(index + round) % subjects.length];
      if (!subject) continue;
      // All of them: what one wrote must not keep the disk busy while the next is measured.
      subjects.forEach(settle);
      await work(subject);
    }
  };
  const step = (row: string, ...list: readonly string[]): Promise<void> =>
    each((subject) => time(bench, row, subject, round, () => docker(bench, subject, ...list)));
  await step('pull', 'pull', '-q', `${large}:1`);
  await each((subject) =>
    docker(bench, subject, 'run', '--name', 'changed', '--network', 'none', `${large}:1`, 'sh', '-c', changes),
  );
  await each(async (subject) => {
    const begin = performance.now();
    const lines = (await docker(bench, subject, 'diff', 'changed')).trim().split('\n').length;
    keep(bench, 'diff', subject, round, performance.now() - begin);
    if (lines !== 5002) throw new Error(`${subject.name}: docker diff shows ${lines} lines, expected 5002`);
  });
  await step('commit', 'commit', 'changed', committed);
  await each((subject) => docker(bench, subject, 'rm', 'changed'));
  await each((subject) => docker(bench, subject, 'rmi', committed));
  await step('rmi', 'rmi', `${large}:1`);
}
