import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { digestOf, type Digest } from '../formats/oci/digest.ts';
import { formatTarHeader, tarEnd } from '../formats/tar/writer.ts';
import type { LayerStore } from '../layer/layer-store.ts';

const directories = ['dev', 'etc', 'proc', 'sys'];
const files = ['etc/hostname', 'etc/hosts', 'etc/resolv.conf'];

/**
 * Makes sure of the layer that lies below every image in a container: the places where something is mounted in each of them.
 * An image's own entries cover it; where it has none, the OCI runtime finds what it would otherwise create in the writable
 * directory, where it would show up as a change. The same bytes, and so the same diffID, everywhere.
 */
export async function ensureMountpointsLayer(layers: LayerStore, folder: string): Promise<Digest> {
  const member = (name: string, type: 'directory' | 'file', mode: number): Buffer =>
    formatTarHeader({
      path: name,
      type,
      mode,
      uid: 0,
      gid: 0,
      mtimeSeconds: 0,
      mtimeNanoseconds: 0,
      sizeBytes: 0,
      linkTarget: '',
      deviceMajor: 0,
      deviceMinor: 0,
      xattrs: new Map(),
    });
  const tar = Buffer.concat([
    ...directories.map((name) => member(`${name}/`, 'directory', 0o755)),
    ...files.map((name) => member(name, 'file', 0o644)),
    tarEnd,
  ]);
  const diffId = digestOf(tar);
  if (await layers.find(diffId)) return diffId;
  const file = path.join(folder, 'mountpoints.tar');
  try {
    await writeFile(file, tar);
    await layers.import(diffId, file);
  } finally {
    await rm(file, { force: true });
  }
  return diffId;
}
