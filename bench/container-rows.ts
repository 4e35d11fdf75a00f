import { setTimeout as delay } from 'node:timers/promises';
import { idOf } from './api-client.ts';
import { docker, interleave, keep, memory, time, type Bench } from './measure.ts';
import { registryAddress, type Subject } from './subject.ts';

const image = `${registryAddress}/bench/busybox:1`;
const memoryContainers = 20;
/** Threads that only work now and then have ended by then. */
const idleMs = 25_000;
const settledMs = 4000;
const listedImages = 100;
const listedContainers = 50;

/** Pulls the small image everywhere; every row of containers needs it. */
export async function pullBusybox(subjects: readonly Subject[]): Promise<void> {
  for (const subject of subjects) await subject.api.pull(`${registryAddress}/bench/busybox`, '1');
}

/** `docker run --rm IMAGE true` with the stock client. */
export async function runRow(
  bench: Bench,
  subjects: readonly Subject[],
  row: string,
  rounds: number,
  flags: readonly string[],
): Promise<void> {
  await interleave(subjects, rounds, (subject, round) =>
    time(bench, row, subject, round, () => docker(bench, subject, 'run', '--rm', ...flags, image, 'true')),
  );
}

/** The four requests of a container's life over a socket that stays open. */
export async function cycleRow(
  bench: Bench,
  subjects: readonly Subject[],
  row: string,
  rounds: number,
  network: 'none' | 'bridge',
): Promise<void> {
  const body = { Image: image, Cmd: ['true'], HostConfig: { NetworkMode: network } };
  const cycle = async ({ api }: Subject): Promise<void> => {
    const id = idOf(await api.expect('POST', '/containers/create', 201, body));
    await api.expect('POST', `/containers/${id}/start`, 204);
    await api.expect('POST', `/containers/${id}/wait`, 200);
    await api.expect('DELETE', `/containers/${id}`, 204);
  };
  await interleave(subjects, rounds, (subject, round) => time(bench, row, subject, round, () => cycle(subject)));
}

/** `docker exec` of `true` in a running container, with the stock client and over the API. */
export async function execRows(bench: Bench, subjects: readonly Subject[], rounds: number): Promise<void> {
  const ids = new Map<Subject, string>();
  for (const subject of subjects) ids.set(subject, await startSleeper(subject));
  try {
    await interleave(subjects, rounds, async (subject, round) => {
      const id = ids.get(subject) ?? '';
      await time(bench, 'exec-client', subject, round, () => docker(bench, subject, 'exec', id, 'true'));
      await time(bench, 'exec-api', subject, round, () => execOverApi(subject, id));
    });
  } finally {
    for (const [{ api }, id] of ids) await api.expect('DELETE', `/containers/${id}?force=1`, 204);
  }
}

async function execOverApi({ api }: Subject, container: string): Promise<void> {
  const body = { Cmd: ['true'], AttachStdout: true, AttachStderr: true };
  const id = idOf(await api.expect('POST', `/containers/${container}/exec`, 201, body));
  // Without a request to upgrade, the answer ends with the program.
  await api.expect('POST', `/exec/${id}/start`, 200, { Detach: false, Tty: false });
}

/** Memory of the idle engine, and what each of twenty running containers adds to it. */
export async function memoryRows(bench: Bench, subjects: readonly Subject[]): Promise<void> {
  await delay(idleMs);
  for (const subject of subjects) keep(bench, 'memory-idle', subject, 1, memory(subject));
  for (const subject of subjects) {
    const ids: string[] = [];
    try {
      // The first container brings what all share.
      ids.push(await startSleeper(subject));
      await delay(settledMs);
      const before = memory(subject);
      for (let count = 0; count < memoryContainers; count++) ids.push(await startSleeper(subject));
      await delay(settledMs);
      keep(bench, 'memory-container', subject, 1, (memory(subject) - before) / memoryContainers);
    } finally {
      for (const id of ids) await subject.api.expect('DELETE', `/containers/${id}?force=1`, 204);
    }
  }
}

async function startSleeper({ api }: Subject): Promise<string> {
  const body = { Image: image, Cmd: ['sleep', '100000'], HostConfig: { NetworkMode: 'none' } };
  const id = idOf(await api.expect('POST', '/containers/create', 201, body));
  await api.expect('POST', `/containers/${id}/start`, 204);
  return id;
}

/** The lists of images and containers with many of both. */
export async function listRows(bench: Bench, subjects: readonly Subject[], rounds: number): Promise<void> {
  for (const { api } of subjects) {
    const body = { Image: image, Cmd: ['true'], HostConfig: { NetworkMode: 'none' } };
    let id = '';
    for (let count = 0; count < listedContainers; count++) {
      id = idOf(await api.expect('POST', '/containers/create', 201, body));
    }
    for (let count = 0; count < listedImages; count++) {
      await api.expect('POST', `/commit?container=${id}&repo=bench/listed&tag=${count}&comment=${count}`, 201, {});
    }
  }
  await interleave(subjects, rounds, async (subject, round) => {
    await time(bench, 'list-images', subject, round, () => subject.api.expect('GET', '/images/json', 200));
    await time(bench, 'list-containers', subject, round, () =>
      subject.api.expect('GET', '/containers/json?all=1', 200),
    );
  });
}
