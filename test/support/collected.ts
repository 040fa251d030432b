import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Lets weak references go, and collects what nothing refers to. */
export async function collected(): Promise<void> {
  await new Promise(setImmediate);
  collect();
}
