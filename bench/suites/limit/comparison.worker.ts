/** Compares in a thread of its own: one scenario per message. */
import { parentPort, workerData } from 'node:worker_threads';
import { compare } from './comparison.js';

const { names, seeds } = workerData as { names: string[]; seeds: number };

parentPort?.on('message', (id: string) => parentPort?.postMessage(compare(id, names, seeds)));
