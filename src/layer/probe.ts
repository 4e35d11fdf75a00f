import { mkdir, mkdtemp, open, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { EngineError } from '../base/errors.ts';
import { ensureDirectory } from '../base/files.ts';
import { tarEnd } from '../formats/tar/writer.ts';
import { SystemCallError } from '../host/libc.ts';
import { mountErofs, unmount } from '../host/mount.ts';
import { removeTree } from '../host/remove-tree.ts';
import { openDirectoryLayerStore } from './directory-layer-store.ts';
import { type LayerStoreOptions, openErofsLayerStore } from './erofs-layer-store.ts';
import { LayerFileWriter } from './layer-file-writer.ts';
import type { LayerStore } from './layer-store.ts';

/** Which form layers take on a data root, and why when it is not the better one. */
export type LayerForm = { readonly form: 'erofs' } | { readonly form: 'directory'; readonly reason: string };

/**
 * Tells by a real mount whether layer files can be mounted on the file system of `root`: not so before Linux 6.12, without
 * EROFS in the kernel, without privilege, and where `root` lies on tmpfs or an overlay.
 */
export async function probeLayerForm(root: string): Promise<LayerForm> {
  await ensureDirectory(root);
  const directory = await mkdtemp(path.join(root, 'probe-'));
  try {
    const file = path.join(directory, 'layer');
    const target = path.join(directory, 'mounted');
    await mkdir(target);
    await writeEmptyLayer(file);
    try {
      await mountErofs(file, target);
    } catch (error) {
      if (!(error instanceof SystemCallError)) throw error;
      return { form: 'directory', reason: `layer files cannot be mounted on ${root}: ${error.code}` };
    }
    await unmount(target);
    await rmdir(target);
    return { form: 'erofs' };
  } finally {
    await removeTree(directory);
  }
}

/** Opens the layer store below `root` in the form that {@link probeLayerForm} finds; `form` says which it is. */
export async function openLayerStore(
  root: string,
  options: LayerStoreOptions = {},
): Promise<{ readonly layers: LayerStore & AsyncDisposable; readonly form: LayerForm }> {
  const form = await probeLayerForm(root);
  const layers =
    form.form === 'erofs' ? await openErofsLayerStore(root, options) : await openDirectoryLayerStore(root, options);
  return { layers, form };
}

async function writeEmptyLayer(file: string): Promise<void> {
  await using handle = await open(file, 'wx+', 0o600);
  const writer = new LayerFileWriter(handle.fd);
  writer.write(tarEnd);
  writer.finish(undefined, () => new EngineError('internal', 'no digest was expected'));
}
