/**
 * The containers of an engine: in memory for reading, one row each on disk.
 *
 * ```
 * containers  id | name | document (JSON of the record)
 * ```
 */
import { EngineError } from '../base/errors.ts';
import type { Database, Migration, QueryRunner } from '../db/database.ts';
import { queryBuilder } from '../db/query.ts';
import { addEdges, dropOwner, type Edge } from '../gc/references.ts';
import { ContainerInstance } from './instance.ts';
import { isRunning, type ContainerEvent } from './lifecycle.ts';
import type { ContainerRecord } from './record.ts';

interface ContainerTables {
  containers: { id: string; name: string; document: string };
}

/** The table of this folder. */
export const containerMigrations: readonly Migration[] = [
  {
    id: 'containers-1',
    sql: 'CREATE TABLE containers (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, document TEXT NOT NULL) STRICT, WITHOUT ROWID',
  },
];

const sql = queryBuilder<ContainerTables>();

/** The name of a container as owner of content. */
export function containerOwner(id: string): string {
  return `container:${id}`;
}

/** All containers, by id, name and prefix of id. */
export class ContainerRegistry {
  readonly #database: Database;
  readonly #byId = new Map<string, ContainerInstance>();
  readonly #byName = new Map<string, ContainerInstance>();
  /** Names given to containers that are being created. */
  readonly #reserved = new Map<string, string>();

  constructor(database: Database) {
    this.#database = database;
    for (const row of database.all(sql.selectFrom('containers').selectAll())) {
      this.#index(new ContainerInstance(JSON.parse(row.document) as ContainerRecord));
    }
  }

  #index(instance: ContainerInstance): void {
    this.#byId.set(instance.record.id, instance);
    this.#byName.set(instance.record.name, instance);
  }

  /** Newest first, as `docker ps` shows them. */
  list(): readonly ContainerInstance[] {
    return [...this.#byId.values()].toSorted((a, b) => (a.record.created < b.record.created ? 1 : -1));
  }

  isNameTaken(name: string): boolean {
    return this.#byName.has(name) || this.#reserved.has(name);
  }

  /** Returns by full id, name (with or without slash) or unambiguous prefix of id; in this order. */
  find(reference: string): ContainerInstance | undefined {
    const name = reference.startsWith('/') ? reference.slice(1) : reference;
    const exact = this.#byId.get(reference) ?? this.#byName.get(name);
    if (exact || !/^[0-9a-f]+$/.test(reference)) return exact;
    const matches = [...this.#byId.keys()].filter((id) => id.startsWith(reference));
    if (matches.length > 1) {
      throw new EngineError('invalidArgument', `multiple IDs found with provided prefix: ${reference}`);
    }
    return this.#byId.get(matches[0] ?? '');
  }

  /** @throws {EngineError} notFound in docker's words */
  get(reference: string): ContainerInstance {
    const instance = this.find(reference);
    if (!instance) throw new EngineError('notFound', `No such container: ${reference}`);
    return instance;
  }

  /** Keeps a name for a container in the making. @throws {EngineError} conflict in docker's words; dispose to give it back */
  reserve(name: string, id: string): Disposable {
    const holder = this.#byName.get(name)?.record.id ?? this.#reserved.get(name);
    if (holder !== undefined) {
      throw new EngineError(
        'conflict',
        `Conflict. The container name "/${name}" is already in use by container "${holder}". You have to remove (or rename) that container to be able to reuse that name.`,
      );
    }
    this.#reserved.set(name, id);
    return { [Symbol.dispose]: () => void this.#reserved.delete(name) };
  }

  /** Adds a container with the content it needs; durable when it settles. */
  async add(record: ContainerRecord, needs: readonly Edge[]): Promise<ContainerInstance> {
    this.#database.transaction((tx) => {
      tx.run(
        sql.insertInto('containers').values({ id: record.id, name: record.name, document: JSON.stringify(record) }),
      );
      addEdges(tx, containerOwner(record.id), needs);
    });
    const instance = new ContainerInstance(record);
    this.#index(instance);
    await this.#database.durable();
    return instance;
  }

  /** Moves a container through its life and writes the row; durable after `durable()`. */
  apply(
    instance: ContainerInstance,
    event: ContainerEvent,
    changes: Partial<Omit<ContainerRecord, 'id' | 'state'>> = {},
  ): void {
    instance.edit(changes);
    instance.apply(event);
    this.#write(this.#database, instance);
  }

  /** Changes what is not state, durably. */
  async edit(instance: ContainerInstance, changes: Partial<Omit<ContainerRecord, 'id' | 'state'>>): Promise<void> {
    const { name } = instance.record;
    instance.edit(changes);
    this.#write(this.#database, instance);
    this.#byName.delete(name);
    this.#byName.set(instance.record.name, instance);
    await this.#database.durable();
  }

  #write(runner: QueryRunner, { record }: ContainerInstance): void {
    const { id, name } = record;
    runner.run(
      sql
        .updateTable('containers')
        .set({ name, document: JSON.stringify(record) })
        .where('id', '=', id),
    );
  }

  /** Takes a container out, durably; returns the content that nobody needs any more. */
  async remove(instance: ContainerInstance): Promise<readonly Edge[]> {
    const { id, name } = instance.record;
    const orphans = this.#database.transaction((tx) => {
      tx.run(sql.deleteFrom('containers').where('id', '=', id));
      return [...dropOwner(tx, containerOwner(id))];
    });
    this.#byId.delete(id);
    if (this.#byName.get(name) === instance) this.#byName.delete(name);
    instance.removed = true;
    await this.#database.durable();
    return orphans;
  }

  async durable(): Promise<void> {
    await this.#database.durable();
  }

  /** @throws {EngineError} conflict in docker's words */
  getRunning(reference: string): ContainerInstance {
    const instance = this.get(reference);
    requireRunning(instance.record);
    return instance;
  }
}

/** @throws {EngineError} conflict in docker's words */
export function requireRunning(record: ContainerRecord): void {
  if (!isRunning(record.state)) throw new EngineError('conflict', `container ${record.id} is not running`);
}
