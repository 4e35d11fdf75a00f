/** nftables by netlink: tables and the elements of sets and maps. A batch is atomic. */
import { attribute, bigWord, messageFlags, nested, text, type NetlinkMessage } from './netlink.ts';

const BATCH_BEGIN = 16;
const BATCH_END = 17;
const NEW_TABLE = 0x0a00;
const DELETE_TABLE = 0x0a02;
const NEW_ELEMENT = 0x0a0c;
const DELETE_ELEMENT = 0x0a0e;
const INET = Buffer.from([1, 0, 0, 0]);
const NESTED = 0x8000;
const OWNER_PERSIST = 2 | 4;
const INTERVAL_END = 1;
/** Attribute lengths are 16 bits: longer lists go in several messages. */
const elementsPerMessage = 1000;

/** An element of a set or map. */
export interface SetElement {
  readonly key: Buffer;
  /** Of an interval in a concatenation: the last key. */
  readonly keyEnd?: Buffer;
  /** Of a map. */
  readonly value?: Buffer;
  /** Of a plain interval: this key is the first behind it. */
  readonly isIntervalEnd?: boolean;
}

/** Wraps messages into one atomic batch. */
export function batch(messages: readonly NetlinkMessage[]): readonly NetlinkMessage[] {
  const mark = (type: number): NetlinkMessage => ({
    type,
    flags: 0,
    body: Buffer.from([0, 0, 0, 10]),
    subject: 'batch',
    acknowledged: false,
  });
  return [mark(BATCH_BEGIN), ...messages, mark(BATCH_END)];
}

/**
 * A table that belongs to the socket that sends this and outlives it: nobody else can change or flush it. Without `create` an
 * orphan of that name is adopted.
 */
export function ownTable(table: string, options: { readonly create: boolean }): NetlinkMessage {
  const body = Buffer.concat([INET, attribute(1, text(table)), attribute(2, bigWord(OWNER_PERSIST))]);
  return { type: NEW_TABLE, flags: options.create ? messageFlags.create : 0, body, subject: `table ${table}` };
}

/** Removes a table with all in it. */
export function deleteTable(table: string): NetlinkMessage {
  return {
    type: DELETE_TABLE,
    flags: 0,
    body: Buffer.concat([INET, attribute(1, text(table))]),
    subject: `table ${table}`,
  };
}

/** Adds elements to a set or map. */
export function addElements(table: string, set: string, elements: readonly SetElement[]): readonly NetlinkMessage[] {
  return elementMessages(NEW_ELEMENT, messageFlags.create, table, set, elements);
}

/** Removes elements, which must be there: a refused batch costs the kernel 15 ms. */
export function deleteElements(table: string, set: string, elements: readonly SetElement[]): readonly NetlinkMessage[] {
  return elementMessages(DELETE_ELEMENT, 0, table, set, elements);
}

/** Removes all elements of a set. */
export function flushSet(table: string, set: string): NetlinkMessage {
  const body = Buffer.concat([INET, attribute(1, text(table)), attribute(2, text(set))]);
  return { type: DELETE_ELEMENT, flags: 0, body, subject: `set ${set}` };
}

function elementMessages(
  type: number,
  flags: number,
  table: string,
  set: string,
  elements: readonly SetElement[],
): readonly NetlinkMessage[] {
  const messages: NetlinkMessage[] = [];
  for (let first = 0; first < elements.length; first += elementsPerMessage) {
    const list = elements.slice(first, first + elementsPerMessage).map(encodeElement);
    const body = Buffer.concat([INET, attribute(1, text(table)), attribute(2, text(set)), nested(3 | NESTED, ...list)]);
    messages.push({ type, flags, body, subject: `elements of ${set}` });
  }
  return messages;
}

function encodeElement({ key, keyEnd, value, isIntervalEnd = false }: SetElement): Buffer {
  const data = (type: number, bytes: Buffer): Buffer => nested(type | NESTED, attribute(1, bytes));
  return nested(
    1 | NESTED,
    data(1, key),
    ...(value ? [data(2, value)] : []),
    ...(isIntervalEnd ? [attribute(3, bigWord(INTERVAL_END))] : []),
    ...(keyEnd ? [data(10, keyEnd)] : []),
  );
}
