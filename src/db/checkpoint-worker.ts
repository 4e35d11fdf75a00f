/** Worker: one checkpoint of the database named by `workerData`, then the end. */
import { DatabaseSync } from 'node:sqlite';
import { workerData } from 'node:worker_threads';

const connection = new DatabaseSync(String(workerData), { timeout: 5000 });
// The first does the bulk beside writers; the second, which holds them up, has only the rest to do.
connection.exec('PRAGMA wal_checkpoint(PASSIVE); PRAGMA wal_checkpoint(RESTART)');
connection.close();
