import type { Backend } from './backend.js';
import type { Load } from './client.js';
import type { Timeline } from './timeline.js';

export interface World {
  readonly backend: Backend;
  /** Of each client. */
  readonly load: Load;
  /** Of the first client, if it differs from that of the others. */
  readonly loadOfFirst?: Load;
  readonly timeoutMs?: number;
}

export interface Scenario {
  readonly id: string;
  /** Its name for readers. */
  readonly what: string;
  readonly seconds: number;
  /** The measurement begins here. */
  readonly fromSecond: number;
  /** When something changes, in seconds: how fast a law follows is measured from here. */
  readonly changes?: readonly number[];
  /** Default 1. */
  readonly clients?: number;
  /** Between the starts of two clients. Default 5. */
  readonly staggerSeconds?: number;
  /** Between the clocks of two clients: from 0 to four times this. Default 10. */
  readonly clockStepMs?: number;
  /** Calls a second that each client would make without a limit. */
  readonly demandPerSecond: number;
  /** The best fixed limit for each client, found by sweep. */
  readonly oracle: (second: number, client: number) => number;
  /** If clients differ: the share that each must have of its goodput with the best limits. Equal clients are judged by Jain's index. */
  readonly wantedOfEach?: number;
  build(timeline: Timeline): World;
}
