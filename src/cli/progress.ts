import type { JsonObject } from '../base/json.ts';
import { EngineError } from '../base/errors.ts';
import { formatSize } from './format/byte-sizes.ts';
import { numberOf, objectOf, textOf } from './format/fields.ts';
import { terminalSize } from './session.ts';

/** Where progress is shown. */
export interface ProgressOutput {
  write(text: string): void;
  /** Whether lines can be written over. */
  readonly isTerminal: boolean;
}

/**
 * Shows the messages of a pull or push: on a terminal one line per layer that changes in place, elsewhere a line per change of state.
 *
 * @throws {EngineError} with the engine's words when a message says that it has failed.
 */
export async function showProgress(
  messages: AsyncIterable<JsonObject>,
  output: ProgressOutput,
  onAux?: (aux: JsonObject) => void,
): Promise<void> {
  const lineOf = new Map<string, number>();
  for await (const message of messages) {
    if (message['aux'] !== undefined) {
      onAux?.(objectOf(message['aux']));
      continue;
    }
    const failure = objectOf(message['errorDetail'])['message'] ?? message['error'];
    if (failure !== undefined) throw new EngineError('unavailable', textOf(failure));
    const id = textOf(message['id']);
    const isMoving = numberOf(objectOf(message['progressDetail'])['current']) > 0;
    if (!output.isTerminal && isMoving) continue;
    if (output.isTerminal && id !== '') showInPlace(message, id, lineOf, output);
    else {
      if (id === '') lineOf.clear();
      output.write(`${formatMessage(message, output.isTerminal)}\n`);
    }
  }
}

function showInPlace(message: JsonObject, id: string, lineOf: Map<string, number>, output: ProgressOutput): void {
  let line = lineOf.get(id);
  if (line === undefined) {
    line = lineOf.size;
    lineOf.set(id, line);
    output.write('\n');
  }
  const up = lineOf.size - line;
  output.write(`\x1b[${up}A\x1b[2K\r${formatMessage(message, true)}\r\x1b[${up}B`);
}

function formatMessage(message: JsonObject, withBar: boolean): string {
  const id = textOf(message['id']);
  const bar = withBar ? formatBar(message) : '';
  const text = textOf(message['status']) || textOf(message['stream']).replace(/\n$/, '');
  return `${id === '' ? '' : `${id}: `}${text}${bar === '' ? '' : ` ${bar}`}`;
}

const wideTerminal = 110;
const defaultColumns = 200;

function formatBar(message: JsonObject): string {
  const detail = objectOf(message['progressDetail']);
  const current = numberOf(detail['current']);
  const total = numberOf(detail['total']);
  if (current <= 0 && total <= 0) return '';
  const size = formatSize(current).padStart(8);
  if (total <= 0) return size;
  const columns = terminalSize()?.columns ?? defaultColumns;
  const share = Math.min(50, Math.trunc((current / total) * 50));
  const bar = columns > wideTerminal ? `[${'='.repeat(share)}>${' '.repeat(50 - share)}] ` : '';
  return `${bar}${size}/${formatSize(total)}`.replace(/\/$/, '');
}
