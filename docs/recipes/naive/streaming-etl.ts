import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { Load, Row } from '../streaming-etl.js';

/** A stream emits rows as fast as the disk reads them. It does not know that the database is slower. */
export function copy(input: Readable, load: Load): Promise<void> {
  return new Promise((resolve, reject) => {
    const loads: Promise<void>[] = [];
    createInterface({ input })
      .on('line', (line) => void loads.push(load([JSON.parse(line) as Row])))
      .on('close', () => Promise.all(loads).then(() => resolve(), reject));
  });
}
