import type { ElementsBySet } from './ruleset.ts';

/** What the network worker is told once, at its start. */
export interface WorkerSetup {
  readonly table: string;
}

/** What the network worker does; each is answered once. */
export type WorkerCommand =
  /** Makes the table, an orphan for the time being. */
  | { readonly type: 'createTable' }
  | { readonly type: 'openTable' }
  | {
      readonly type: 'createBridge';
      readonly name: string;
      readonly macAddress: string;
      readonly mtu: number;
      readonly address: string;
      readonly prefixLength: number;
    }
  | { readonly type: 'removeBridge'; readonly name: string }
  | {
      readonly type: 'attach';
      readonly link: string;
      readonly bridge: string;
      readonly mtu: number;
      readonly address: string;
      readonly prefixLength: number;
      readonly gateway: string;
      readonly macAddress: string;
    }
  | { readonly type: 'changeElements'; readonly remove: ElementsBySet; readonly add: ElementsBySet }
  /** Replaces all elements in one step: no packet sees anything in between. */
  | { readonly type: 'replaceElements'; readonly sets: readonly string[]; readonly add: ElementsBySet }
  | { readonly type: 'removeTable' }
  /** The last command. */
  | { readonly type: 'close' };

/** The worker's answer: a value, or what went wrong. */
export type WorkerAnswer =
  | { readonly sequence: number; readonly value: number }
  | { readonly sequence: number; readonly error: { readonly message: string; readonly code: string } };
