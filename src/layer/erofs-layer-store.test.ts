import { layerStoreContract } from './contract.ts';
import { openErofsLayerStore } from './erofs-layer-store.ts';

layerStoreContract('EROFS', openErofsLayerStore);
