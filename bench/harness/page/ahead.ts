/** Finds the rows in which another package is better than ours by more than the noise of both. */

import { amount } from '../format.js';
import type { Measured } from '../measure.js';
import { times } from '../report.js';
import type { Result } from '../results.js';
import { reasons } from './prose.js';

export interface Ahead {
  readonly table: string;
  readonly peer: string;
  /** The formatted figures: theirs, ours. */
  readonly figures: readonly [theirs: string, ours: string];
  readonly reason: string;
}

/** Compares with our first row of a table; our other rows are variations. */
export function whereOthersAreAhead(results: readonly Result[]): Ahead[] {
  return results
    .filter(({ countsOnly, sizes }) => !countsOnly && sizes === undefined)
    .flatMap((table) => {
      const ours = table.rows.find(({ role }) => role === 'latchkey');
      if (ours === undefined) return [];
      return table.rows
        .filter((row) => row.role === 'peer' && isBelow(row, ours))
        .map(({ name, ...row }) => ({
          table: table.title,
          peer: name,
          figures: [written(table, row), written(table, ours)] as const,
          reason: reasonFor(table.title, name),
        }));
    });
}

/** Where others are ahead in the results of one run and not in those of another. */
export function aheadOnlyIn(results: readonly Result[], others: readonly Result[]): Ahead[] {
  const known = whereOthersAreAhead(others);
  return whereOthersAreAhead(results).filter(
    ({ table, peer }) => !known.some((row) => row.table === table && row.peer === peer),
  );
}

function isBelow(row: Omit<Measured, 'name'>, other: Measured): boolean {
  if (row.versusFloor && other.versusFloor && row.versusFloor.rounds.length > 1) {
    return row.versusFloor.quartiles[1] < other.versusFloor.quartiles[0];
  }
  // A single round has no known uncertainty.
  return (
    Math.min(row.rounds, other.rounds) > 1 && row.cost * (1 + row.spread) < other.cost * (1 - other.spread)
  );
}

function written(table: Result, { cost, versusFloor }: Pick<Measured, 'cost' | 'versusFloor'>): string {
  const ofFloor = versusFloor === undefined || table.unit === 'bytes' ? '' : ` (${times(versusFloor)})`;
  return `${amount(table, cost)}${ofFloor}`;
}

function reasonFor(table: string, peer: string): string {
  return (
    reasons.find((reason) => reason.peers.includes(peer) && table.startsWith(reason.table))?.why ??
    'Not explained yet.'
  );
}
