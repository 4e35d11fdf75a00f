import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { randomBytes } from 'node:crypto';
import { decompressFile } from './decompress.ts';
import { detectCompression } from './detect.ts';
import { canInflateSynchronously } from './inflater.ts';

const noise = randomBytes(700_000);
const plain = Buffer.concat([noise, Buffer.alloc(3_000_000, 'text '), noise]);

async function decompress(content: Buffer, synchronous: boolean): Promise<Buffer> {
  const directory = mkdtempSync(path.join(tmpdir(), 'slipway-inflate-'));
  try {
    const file = path.join(directory, 'blob');
    writeFileSync(file, content);
    const descriptor = openSync(file, 'r');
    try {
      const parts: Buffer[] = [];
      let consumed = 0;
      const onConsumed = (bytes: number): void => void (consumed = bytes);
      await decompressFile(descriptor, (bytes) => parts.push(Buffer.from(bytes)), { synchronous, onConsumed });
      assert.ok(consumed > 0);
      return Buffer.concat(parts);
    } finally {
      closeSync(descriptor);
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test('canInflateSynchronously() is true on this Node', () => {
  assert.equal(canInflateSynchronously(), true);
});

for (const synchronous of [true, false]) {
  const way = synchronous ? 'by the handle' : 'by streams';

  test(`decompressFile() ${way} reads gzip, zstd, several members and plain bytes`, async () => {
    const halves = [plain.subarray(0, 1_000_000), plain.subarray(1_000_000)] as const;
    for (const content of [
      gzipSync(plain, { level: 1 }),
      zstdCompressSync(plain),
      Buffer.concat(halves.map((half) => gzipSync(half, { level: 1 }))),
      Buffer.concat(halves.map((half) => zstdCompressSync(half))),
      plain,
    ]) {
      assert.ok((await decompress(content, synchronous)).equals(plain));
    }
  });

  test(`decompressFile() ${way} refuses cut and changed gzip`, async () => {
    const whole = gzipSync(plain, { level: 1 });
    const changed = Buffer.from(whole);
    changed[1000] = (changed[1000] ?? 0) ^ 0x40;
    for (const content of [whole.subarray(0, -9), whole.subarray(0, 5000), changed]) {
      await assert.rejects(decompress(content, synchronous), { kind: 'invalidArgument' });
    }
  });
}

test('detectCompression() goes by content and names what it does not read', () => {
  assert.equal(detectCompression(Buffer.from([0x1f, 0x8b, 8])), 'gzip');
  assert.equal(detectCompression(Buffer.from([0x28, 0xb5, 0x2f, 0xfd])), 'zstd');
  assert.equal(detectCompression(Buffer.alloc(0)), 'none');
  assert.throws(() => detectCompression(Buffer.from('BZh91AY')), { kind: 'invalidArgument', message: /bzip2/ });
});
