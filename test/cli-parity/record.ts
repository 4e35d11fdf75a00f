/**
 * Records what docker's client, taken from $PATH, answers to the command lines of the table against our engine: `node
 * test/cli-parity/record.ts` under the project's Node.
 */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { runCommand } from '../harness/command.ts';
import { runLines } from './run-lines.ts';

const { stdout } = await runCommand('docker', ['--version']);
const answers = await runLines(['docker']);
const file = path.resolve(import.meta.dirname, '../golden/cli/answers.json');
await writeFile(file, `${JSON.stringify({ client: stdout.trim(), answers }, undefined, 2)}\n`);
console.log(`${answers.length} answers of ${stdout.trim()}`);
