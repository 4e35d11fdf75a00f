/** The Hub through another program's eyes: skopeo copies an image in and out and inspects it. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { digestOf, encodedOf } from '../src/formats/oci/digest.ts';
import { mediaTypes } from '../src/formats/oci/media-types.ts';
import { createHub } from '../src/hub/hub.ts';

const run = promisify(execFile);
const tagName = 'org.opencontainers.image.ref.name';

async function hasSkopeo(): Promise<boolean> {
  try {
    await run('skopeo', ['--version']);
    return true;
  } catch {
    return false;
  }
}

/** Writes an OCI image layout with one image of two layers; returns the digest of its manifest. */
async function writeLayout(directory: string, name: string): Promise<string> {
  await mkdir(path.join(directory, 'blobs/sha256'), { recursive: true });
  const add = async (
    mediaType: string,
    content: Buffer,
  ): Promise<{ mediaType: string; digest: string; size: number }> => {
    const digest = digestOf(content);
    await writeFile(path.join(directory, 'blobs/sha256', encodedOf(digest)), content);
    return { mediaType, digest, size: content.length };
  };
  const tars = [randomBytes(3 << 20), Buffer.alloc(10_240)];
  const layers = await Promise.all(tars.map((tar) => add(mediaTypes.ociLayerGzip, gzipSync(tar))));
  const config = await add(
    mediaTypes.ociConfig,
    Buffer.from(
      JSON.stringify({
        os: 'linux',
        architecture: 'amd64',
        config: { Labels: { made: 'here' } },
        rootfs: { type: 'layers', diff_ids: tars.map((tar) => digestOf(tar)) },
      }),
    ),
  );
  const document = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers };
  const manifest = await add(mediaTypes.ociManifest, Buffer.from(JSON.stringify(document)));
  const manifests = [{ ...manifest, annotations: { [tagName]: name } }];
  await writeFile(path.join(directory, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
  await writeFile(path.join(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  return manifest.digest;
}

test('skopeo copies to the Hub and back, byte for byte, and inspects', async (context) => {
  if (!(await hasSkopeo())) {
    context.skip('skopeo is not installed');
    return;
  }
  const root = await mkdtemp('/var/tmp/slipway-registry-');
  try {
    await using hub = await createHub({ dataRoot: path.join(root, 'hub'), listen: '127.0.0.1:0' });
    const digest = await writeLayout(path.join(root, 'in'), 'x');
    const image = `docker://${hub.address}/me/mine:1`;
    await run('skopeo', ['copy', '--dest-tls-verify=false', `oci:${root}/in:x`, image]);
    await run('skopeo', ['copy', '--src-tls-verify=false', image, `oci:${root}/out:x`]);
    const blobs = (await readdir(path.join(root, 'in/blobs/sha256'))).toSorted();
    assert.deepEqual((await readdir(path.join(root, 'out/blobs/sha256'))).toSorted(), blobs);
    for (const blob of blobs) {
      const [before, after] = await Promise.all(
        ['in', 'out'].map((side) => readFile(path.join(root, side, 'blobs/sha256', blob))),
      );
      assert.ok(before && after?.equals(before));
    }
    await run('skopeo', [
      'copy',
      '--src-tls-verify=false',
      '--dest-tls-verify=false',
      image,
      `docker://${hub.address}/me/other:2`,
    ]);
    const { stdout } = await run('skopeo', ['inspect', '--tls-verify=false', `docker://${hub.address}/me/other:2`]);
    const inspected = JSON.parse(stdout) as { Digest: string; RepoTags: string[]; Labels: object };
    assert.equal(inspected.Digest, digest);
    assert.deepEqual(inspected.RepoTags, ['2']);
    assert.deepEqual(inspected.Labels, { made: 'here' });
    await run('skopeo', ['delete', '--tls-verify=false', `docker://${hub.address}/me/other:2`]);
    await assert.rejects(
      run('skopeo', ['inspect', '--tls-verify=false', `docker://${hub.address}/me/other:2`]),
      /manifest unknown/,
    );
  } finally {
    await rm(root, { recursive: true, force: true });
  }
});
