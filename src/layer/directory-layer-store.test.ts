import { layerStoreContract } from './contract.ts';
import { openDirectoryLayerStore } from './directory-layer-store.ts';

layerStoreContract('directory', openDirectoryLayerStore);
