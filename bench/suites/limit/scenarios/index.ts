import type { Scenario } from '../simulation/scenario.js';
import { changing } from './changing.js';
import { field } from './field.js';
import { refusing } from './refusing.js';
import { sharedByClients } from './shared.js';
import { steady } from './steady.js';

/** In the order of their names. */
export const scenarios: readonly Scenario[] = [
  ...steady,
  ...changing,
  ...refusing,
  ...sharedByClients,
  ...field,
].sort((one, other) => (one.id < other.id ? -1 : 1));

export function scenarioOf(id: string): Scenario {
  const found = scenarios.find((scenario) => scenario.id === id);
  if (found === undefined) throw new RangeError(`there is no scenario ${JSON.stringify(id)}`);
  return found;
}
