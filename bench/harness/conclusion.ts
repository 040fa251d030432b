/** What a table shows, in a sentence. */

import { amount, count, digits } from './format.js';
import type { Measured } from './measure.js';
import type { Result } from './results.js';

/** Undefined, if the table has no row of ours. */
export function conclusionOf(table: Result): string | undefined {
  const ours = table.rows.find(({ role }) => role === 'latchkey');
  if (ours === undefined) return undefined;
  if (ours.growth !== undefined) return ofGrowth(ours);
  const parts = [...(table.countsOnly ? [] : ofCost(table, ours)), ...ofCounts(table, ours)];
  return parts.length === 0 ? undefined : `${parts.join('. ')}.`;
}

function ofGrowth({ name, growth }: Measured): string {
  const exponent = growth!.exponent.median;
  const judgement = exponent < 1.15 ? 'twice as many cost about twice as much' : 'more than in proportion';
  return `${name}: the cost grows with exponent ${exponent.toFixed(2)}, ${judgement}.`;
}

function ofCost(table: Result, ours: Measured): string[] {
  const peers = table.rows.filter(({ role }) => role === 'peer' || role === 'naive');
  if (peers.length === 0) return [];
  const faster = peers.filter(({ cost }) => cost < ours.cost / 1.05);
  const slower = peers.filter(({ cost }) => cost > ours.cost * 1.05);
  const [less, more] = table.unit === 'bytes' ? ['less', 'more'] : ['faster', 'slower'];
  const by = (ratio: number) => `${digits(ratio)}x`;
  const parts = [`${ours.name} takes ${amount(table, ours.cost)}`];
  const best = faster.reduce<Measured | undefined>(
    (low, row) => (low && low.cost < row.cost ? low : row),
    undefined,
  );
  if (best !== undefined) parts.push(`${best.name} is ${by(ours.cost / best.cost)} ${less}`);
  if (slower.length > 0) {
    const ratios = slower.map(({ cost }) => cost / ours.cost).sort((one, other) => one - other);
    const range = ratios.length === 1 ? by(ratios[0]!) : `${by(ratios[0]!)} to ${by(ratios.at(-1)!)}`;
    const names =
      slower.length > 2 ? `${slower.length} others` : slower.map(({ name }) => name).join(' and ');
    parts.push(`${names} ${slower.length === 1 ? 'is' : 'are'} ${range} ${more}`);
  }
  return [parts.join('; ')];
}

/** Counts in which the naive way differs, such as lost updates. */
function ofCounts({ rows }: Result, ours: Measured): string[] {
  const naive = rows.find(({ role }) => role === 'naive');
  if (naive === undefined) return [];
  const names = Object.keys(ours.counts).filter((name) => {
    const [theirs, own] = [naive.counts[name], ours.counts[name]];
    return typeof theirs === 'number' && typeof own === 'number' && theirs !== own;
  });
  return names.map(
    (name) =>
      `${name}: ${count(ours.counts[name])} with ${ours.name}, ${count(naive.counts[name])} with ${naive.name}`,
  );
}
