/** The same tables on an older Node: our first row of each, in multiples of the floor, and beside the fastest package. */

import { digits } from '../format.js';
import type { Measured } from '../measure.js';
import { times } from '../report.js';
import type { Result } from '../results.js';

export const besideHeader = (majors: readonly [string, string]): string[] => [
  'table',
  ...majors.flatMap((major) => [`vs floor, ${major}`, `fastest other package, ${major}`]),
];

/** A row for each table that both runs have. */
export function besideRows(results: readonly Result[], others: readonly Result[]): string[][] {
  return results.flatMap((table) => {
    const other = others.find(({ title }) => title === table.title);
    if (other === undefined || table.countsOnly || table.sizes !== undefined) return [];
    const cells = [...figuresOf(table), ...figuresOf(other)];
    return cells.every((cell) => cell === '') ? [] : [[table.title, ...cells]];
  });
}

function figuresOf({ rows }: Result): string[] {
  const ours = rows.find(({ role }) => role === 'latchkey');
  return ours === undefined ? ['', ''] : [times(ours.versusFloor), fastestOther(rows, ours)];
}

/** `0.83x async-sema`: it takes 0.83 times as long as ours. */
function fastestOther(rows: readonly Measured[], ours: Measured): string {
  const peers = rows.filter(({ role }) => role === 'peer').sort((one, other) => one.cost - other.cost);
  return peers[0] === undefined ? '' : `${digits(peers[0].cost / ours.cost)}x ${peers[0].name}`;
}
