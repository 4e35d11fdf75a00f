/**
 * One SQLite file in WAL mode. Transactions are short and synchronous: by type they cannot await. A commit is atomic at once
 * and durable after `durable()`, which flushes the write-ahead log in the thread pool and is shared by all who wait for it
 * (synchronous=NORMAL writes the log at commit and flushes it only here and at checkpoints).
 */
import { fdatasync, openSync, closeSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { syncDirectory } from '../base/files.ts';
import { workerUrl } from '../base/worker-url.ts';
import type { Query } from './query.ts';

/** A step of a schema's history; `id` never changes once released. */
export interface Migration {
  readonly id: string;
  readonly sql: string;
}

/** Runs queries, within a transaction or each for itself. */
export interface QueryRunner {
  all<Row>(query: Query<Row>): readonly Row[];
  first<Row>(query: Query<Row>): Row | undefined;
  /** Returns the number of rows changed. */
  run(query: Query<unknown>): number;
}

/** `never` for a promise: a transaction's body must have ended when it returns. */
export type Settled<Result> = Result extends PromiseLike<unknown> ? never : Result;

const flush = promisify(fdatasync);
/** The log's size says nothing: it is written again from its start after a checkpoint, and keeps its length. */
const checkpointAfterWrites = 4000;

/** An open database; see the head of this file. */
export class Database implements QueryRunner, AsyncDisposable {
  readonly #file: string;
  readonly #connection: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  #logDescriptor: number | undefined;
  #writesSinceCheckpoint = 0;
  #flushing: Promise<void> | undefined;
  #flushNext: Promise<void> | undefined;
  #checkpoint: Promise<void> | undefined;

  private constructor(file: string, connection: DatabaseSync) {
    this.#file = file;
    this.#connection = connection;
  }

  /** Opens or creates the file and brings its schema up to date, durably. */
  static async open(file: string, migrations: readonly Migration[]): Promise<Database> {
    await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
    const connection = new DatabaseSync(file, { timeout: 5000 });
    connection.exec(
      'PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON; PRAGMA wal_autocheckpoint=0',
    );
    const database = new Database(file, connection);
    try {
      database.#migrate(migrations);
      await database.durable();
      await syncDirectory(path.dirname(file));
    } catch (error) {
      await database[Symbol.asyncDispose]();
      throw error;
    }
    return database;
  }

  #migrate(migrations: readonly Migration[]): void {
    this.#connection.exec('BEGIN IMMEDIATE');
    try {
      this.#connection.exec('CREATE TABLE IF NOT EXISTS migrations (id TEXT PRIMARY KEY) STRICT');
      const known = this.#connection.prepare('SELECT 1 FROM migrations WHERE id = ?');
      const record = this.#connection.prepare('INSERT INTO migrations (id) VALUES (?)');
      for (const { id, sql } of migrations) {
        if (known.get(id)) continue;
        this.#connection.exec(sql);
        record.run(id);
      }
      this.#connection.exec('COMMIT');
    } catch (error) {
      this.#connection.exec('ROLLBACK');
      throw error;
    }
  }

  all<Row>(query: Query<Row>): readonly Row[] {
    const { statement, parameters } = this.#prepare(query);
    return statement.all(...parameters) as Row[];
  }

  first<Row>(query: Query<Row>): Row | undefined {
    const { statement, parameters } = this.#prepare(query);
    return statement.get(...parameters) as Row | undefined;
  }

  run(query: Query<unknown>): number {
    const { statement, parameters } = this.#prepare(query);
    this.#writesSinceCheckpoint++;
    return Number(statement.run(...parameters).changes);
  }

  #prepare(query: Query<unknown>): { statement: StatementSync; parameters: readonly SQLInputValue[] } {
    const { sql, parameters } = 'compile' in query ? query.compile() : query;
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#connection.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return { statement, parameters: parameters as readonly SQLInputValue[] };
  }

  /** Runs `body` in one transaction: all of it happens, or nothing when it throws. Not durable before `durable()`. */
  transaction<Result>(body: (transaction: QueryRunner) => Settled<Result>): Settled<Result> {
    this.#connection.exec('BEGIN IMMEDIATE');
    try {
      const result = body(this);
      this.#connection.exec('COMMIT');
      this.#writesSinceCheckpoint++;
      return result;
    } catch (error) {
      this.#connection.exec('ROLLBACK');
      throw error;
    }
  }

  /** Settles when everything committed before the call survives a power loss. Callers that wait together share one flush. */
  async durable(): Promise<void> {
    if (!this.#flushing) {
      this.#flushing = this.#flushLog().finally(() => (this.#flushing = undefined));
      return this.#flushing;
    }
    // A flush that runs may have started before our commit: wait for the one after it.
    const running = this.#flushing;
    this.#flushNext ??= running.catch(ignoreOthersFailure).then(() => {
      this.#flushNext = undefined;
      return this.durable();
    });
    return this.#flushNext;
  }

  async #flushLog(): Promise<void> {
    this.#logDescriptor ??= openSync(`${this.#file}-wal`, 'r');
    await flush(this.#logDescriptor);
    if (this.#writesSinceCheckpoint >= checkpointAfterWrites) this.#startCheckpoint();
  }

  /** Moves the log into the file, in a worker: its flushes would hold up the loop. Runs beside reads and writes. */
  #startCheckpoint(): void {
    this.#writesSinceCheckpoint = 0;
    this.#checkpoint ??= new Promise<void>((resolve, reject) => {
      const worker = new Worker(workerUrl('./checkpoint-worker', import.meta.url), { workerData: this.#file });
      worker.once('error', reject).once('exit', () => resolve());
      worker.unref();
    }).finally(() => (this.#checkpoint = undefined));
    this.#checkpoint.catch(ignoreOthersFailure);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#flushNext?.catch(ignoreOthersFailure);
    await this.#flushing?.catch(ignoreOthersFailure);
    await this.#checkpoint?.catch(ignoreOthersFailure);
    if (this.#logDescriptor !== undefined) closeSync(this.#logDescriptor);
    this.#connection.close();
  }
}

function ignoreOthersFailure(): void {
  // Whoever started that work was told; the next attempt speaks for itself.
}
