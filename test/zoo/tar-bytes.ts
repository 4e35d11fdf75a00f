/** Tar members byte by byte, independent of the product's own writer, so that odd and wrong ones can be made. */

/** A header's fields; what is not given gets a plain value. */
export interface Header {
  readonly name: string;
  readonly type?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly size?: number;
  readonly mtime?: number;
  readonly link?: string;
  readonly major?: number;
  readonly minor?: number;
  readonly magic?: 'ustar' | 'gnu' | 'none';
  readonly prefix?: string;
  /** Changes the header before its sum is taken. */
  readonly edit?: (header: Buffer) => void;
  /** Changes it afterwards. */
  readonly spoil?: (header: Buffer) => void;
}

/** One header block. */
export function header(fields: Header): Buffer {
  const block = Buffer.alloc(512);
  block.write(fields.name, 0, 100, 'latin1');
  octal(block, 100, 8, fields.mode ?? 0o644);
  octal(block, 108, 8, fields.uid ?? 0);
  octal(block, 116, 8, fields.gid ?? 0);
  octal(block, 124, 12, fields.size ?? 0);
  octal(block, 136, 12, fields.mtime ?? 1_600_000_000);
  block.write(fields.type ?? '0', 156, 'latin1');
  block.write(fields.link ?? '', 157, 100, 'latin1');
  const magic = fields.magic ?? 'ustar';
  if (magic !== 'none') block.write(magic === 'ustar' ? 'ustar\x0000' : 'ustar  \0', 257, 'latin1');
  if (fields.major !== undefined) octal(block, 329, 8, fields.major);
  if (fields.minor !== undefined) octal(block, 337, 8, fields.minor);
  block.write(fields.prefix ?? '', 345, 155, 'latin1');
  fields.edit?.(block);
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  fields.spoil?.(block);
  return block;
}

/** A header with its body. */
export function member(fields: Header, body: Buffer | string = ''): Buffer {
  const bytes = Buffer.from(body as string, 'latin1');
  return Buffer.concat([header({ size: bytes.length, ...fields }), bytes, pad(bytes.length)]);
}

export function file(name: string, content: Buffer | string = name, more: Partial<Header> = {}): Buffer {
  return member({ name, ...more }, content);
}

export function directory(name: string, more: Partial<Header> = {}): Buffer {
  return header({ name: `${name}/`, type: '5', mode: 0o755, ...more });
}

export function symlink(name: string, link: string, more: Partial<Header> = {}): Buffer {
  return header({ name, type: '2', mode: 0o777, link, ...more });
}

export function hardlink(name: string, link: string, more: Partial<Header> = {}): Buffer {
  return header({ name, type: '1', link, ...more });
}

/** A PAX header with these records, in order. */
export function pax(records: readonly (readonly [string, string | Buffer])[], type = 'x'): Buffer {
  const parts = records.map(([key, value]) => {
    const text = Buffer.from(value as string, 'latin1');
    const rest = key.length + text.length + 3;
    let length = rest + 1;
    while (length !== rest + String(length).length) length = rest + String(length).length;
    return Buffer.concat([Buffer.from(`${length} ${key}=`, 'latin1'), text, Buffer.from('\n')]);
  });
  return member({ name: 'PaxHeaders/x', type }, Buffer.concat(parts));
}

/** GNU's long name (type L) or long link (type K). */
export function longName(name: string, type: 'L' | 'K' = 'L'): Buffer {
  return member({ name: '././@LongLink', type, magic: 'gnu' }, `${name}\0`);
}

/** A whole archive. */
export function tar(...members: readonly Buffer[]): Buffer {
  return Buffer.concat([...members, Buffer.alloc(1024)]);
}

export function pad(length: number): Buffer {
  return Buffer.alloc((512 - (length % 512)) % 512);
}

/** Writes a number in base 256. */
export function base256(block: Buffer, start: number, length: number, value: bigint): void {
  let rest = value;
  for (let at = start + length - 1; at >= start; at--) {
    block[at] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  block[start] = (block[start] ?? 0) | 0x80;
}

export function octal(block: Buffer, start: number, length: number, value: number): void {
  block.write(`${value.toString(8).padStart(length - 1, '0')}\0`, start, 'latin1');
}
