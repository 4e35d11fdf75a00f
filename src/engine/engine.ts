/**
 * The composition root: makes the services, wires them, brings records and machine together, and takes everything down again in
 * the reverse order. Containers go on running; another engine on the same roots finds them.
 *
 * ```
 * DATA_ROOT/engine.db            records
 * DATA_ROOT/content/             blobs by digest
 * DATA_ROOT/layers/              layer files by diffID
 * DATA_ROOT/snapshots/           writable directories of containers
 * DATA_ROOT/containers/          logs and name files of containers
 * EXEC_ROOT/mounts/              mounted layers and roots
 * EXEC_ROOT/bundles/             what the OCI runtime is given
 * ```
 */
import { createHash, randomUUID } from 'node:crypto';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock, type Clock } from '../base/clock.ts';
import { ensureDirectory, readTextIfPresent, writeFileDurably } from '../base/files.ts';
import type { Logger } from '../base/log.ts';
import { containerMigrations, ContainerRegistry } from '../container/registry.ts';
import { superviseContainers } from '../container/containers.ts';
import type { ContainerContext } from '../container/context.ts';
import { stopContainer } from '../container/end.ts';
import { Execs } from '../container/execs.ts';
import { isRunning } from '../container/lifecycle.ts';
import { ContentGraph } from '../content/content-graph.ts';
import { LocalContentStore } from '../content/local-store.ts';
import { Database } from '../db/database.ts';
import { EventBus } from '../events/events.ts';
import { addEdges, Holds, referencesMigrations } from '../gc/references.ts';
import { collectContent, collectUnowned } from '../image/collect.ts';
import type { ImageContext } from '../image/context.ts';
import { imageMigrations, ImageStore } from '../image/records.ts';
import { openLayerStore } from '../layer/probe.ts';
import { reflogMigrations } from '../reflog/reflog.ts';
import { Cgroup, readCgroupLayout } from '../runtime/cgroup/cgroup.ts';
import { createProcessHost, findRuntimes } from '../runtime/create-process-host.ts';
import { openOverlaySnapshotter } from '../snapshot/overlay-snapshotter.ts';
import { ensureMountpointsLayer } from './mountpoints-layer.ts';
import { openNetworks } from './networks.ts';
import { prepareRoots, removeExecRoot } from './roots.ts';
import { readFacts } from './facts.ts';
import { createRegistries, type RegistrySettings } from './registries.ts';
import type { EngineServices } from './services.ts';

/** How an engine is made. */
export interface EngineOptions {
  readonly dataRoot: string;
  readonly execRoot: string;
  readonly registries: RegistrySettings;
  readonly network: { readonly bip?: string; readonly enabled: boolean };
  readonly log: Logger;
  readonly clock?: Clock;
}

/** A running engine. */
export interface Engine extends AsyncDisposable {
  readonly services: EngineServices;
  /** Stops every container and takes everything off the host that is not in the data root. The engine is of no use afterwards. */
  removeFromHost(): Promise<void>;
}

/** Blobs that a cut pull has brought are kept this long for the next one. */
const keepUnownedMs = 24 * 3_600_000;

/**
 * Starts an engine on two roots. Only one engine runs on the same roots at a time.
 *
 * @throws {EngineError} failedPrecondition when the machine lacks something essential or the roots are in use.
 */
export async function createEngine(options: EngineOptions): Promise<Engine> {
  const { dataRoot, execRoot, log, clock = systemClock } = options;
  await using stack = new AsyncDisposableStack();
  stack.use(await prepareRoots(dataRoot, execRoot));
  const below = (name: string): string => path.join(dataRoot, name);
  const database = stack.use(
    await Database.open(below('engine.db'), [
      ...reflogMigrations,
      ...referencesMigrations,
      ...imageMigrations,
      ...containerMigrations,
    ]),
  );
  const cgroups = readCgroupLayout();
  const runtimes = await findRuntimes();
  const defaultRuntime = runtimes.crun === undefined ? 'runc' : 'crun';
  const content = await LocalContentStore.open(below('content'));
  const { layers, form } = await openLayerStore(await ensureDirectory(below('layers')));
  stack.use(layers);
  if (form.form === 'directory') log.warn({ reason: form.reason }, 'layers are kept as directories');
  await ensureDirectory(below('snapshots'), 0o710);
  const snapshotter = await openOverlaySnapshotter({
    dataDirectory: dataRoot,
    mountDirectory: path.join(execRoot, 'mounts'),
    layers,
  });
  const mountpointsLayer = await ensureMountpointsLayer(layers, dataRoot);
  addEdges(database, 'engine:mountpoints', [{ kind: 'layer', target: mountpointsLayer }]);
  const holds = new Holds();
  const events = new EventBus(clock);
  const store = new ImageStore(database);
  const images: ImageContext = {
    store,
    content,
    graph: new ContentGraph(content),
    layers,
    holds,
    clock,
    mountpointsLayer,
  };
  const registries = stack.use(createRegistries(options.registries, store, { log }));
  const processes = stack.use(await createProcessHost({ execRoot, runtimes, log }));
  const networks = stack.use(await openNetworks(options.network, execRoot, log));
  const containers: ContainerContext = {
    registry: new ContainerRegistry(database),
    holds,
    processes,
    snapshotter,
    networks,
    events,
    clock,
    log,
    abilities: {
      runtimes: Object.keys(runtimes),
      defaultRuntime,
      cgroupVersion: cgroups.version,
    },
    dataDirectory: below('containers'),
    bundleDirectory: path.join(execRoot, 'bundles'),
    mountpointsLayer,
    cgroups,
    cgroupParent: `slipway-${createHash('sha256').update(execRoot).digest('hex').slice(0, 8)}`,
    collect: (orphans) => collectContent(images, database, orphans),
  };
  const execs = new Execs(containers);
  await collectUnowned(
    images,
    database,
    async (digest) => clock.now().getTime() - (await stat(content.path(digest))).mtimeMs < keepUnownedMs,
  );
  stack.defer(await superviseContainers(containers, execs));
  const facts = await readFacts({
    id: await engineId(dataRoot),
    dataRoot,
    cgroupVersion: cgroups.version,
    runtimes: { ...runtimes },
    defaultRuntime,
    layerForm: form.form,
  });
  const services: EngineServices = { containers, execs, images, database, registries, events, clock, facts };
  const owned = stack.move();
  return {
    services,
    removeFromHost: async () => {
      await stopAll(containers);
      await networks.remove();
      await snapshotter.unmountAll();
      await processes.stopMonitor();
      await removeCgroup(new Cgroup(cgroups, `/${containers.cgroupParent}`));
      await owned.disposeAsync();
      await removeExecRoot(execRoot);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

const stopPatienceSeconds = 3;

async function stopAll(context: ContainerContext): Promise<void> {
  const alive = context.registry
    .list()
    .filter(({ record }) => isRunning(record.state) || record.state.status === 'restarting');
  await Promise.all(alive.map((instance) => stopContainer(context, instance, { timeoutSeconds: stopPatienceSeconds })));
  await Promise.all(context.registry.list().map((instance) => instance.queue.idle()));
}

/** The kernel lets go of a cgroup a moment after its last process. */
async function removeCgroup(cgroup: Cgroup): Promise<void> {
  for (let attempt = 0; attempt < 100 && !cgroup.remove(); attempt++) await delay(20);
}

/** An engine keeps its id for as long as its data root lives. */
async function engineId(dataRoot: string): Promise<string> {
  const file = path.join(dataRoot, 'engine-id');
  const known = (await readTextIfPresent(file))?.trim();
  if (known !== undefined && known !== '') return known;
  const id = randomUUID();
  await writeFileDurably(file, `${id}\n`);
  return id;
}
