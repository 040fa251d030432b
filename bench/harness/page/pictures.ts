/** The pictures of the page: one per suite, of its tables that can be drawn. */
import { type GrowthPanel, growthLines } from '../chart/growth-lines.js';
import { bars, dots, type Panel, type Ranked } from '../chart/ranking.js';
import { amount, digits, duration } from '../format.js';
import type { Measured } from '../measure.js';
import type { Result } from '../results.js';
import type { Role } from '../subjects.js';

/** Undefined if no table of the suite can be drawn. */
export function pictureOf(suite: string, tables: readonly Result[]): string | undefined {
  if (tables.some(({ sizes }) => sizes !== undefined)) {
    return growthLines('One operation, by how many there are at once', tables.map(growthPanel), duration);
  }
  const bytes = tables.filter(({ unit }) => unit === 'bytes');
  if (bytes.length > 0) {
    return bars({
      title: 'Bytes, the fewest first',
      axis: 'bytes. Blue: ours, orange: other packages, grey: the floor',
      panels: bytes.map(bytesPanel),
    });
  }
  const ratios = tables.filter(({ rows, countsOnly }) => !countsOnly && rows.some(hasRatio));
  if (ratios.length === 0) return undefined;
  const title = `${suite}: time in multiples of the floor, the fastest first`;
  return dots({
    title,
    axis: 'times the floor (the line). Blue: ours, orange: other packages, hollow: the naive way, grey: a part',
    panels: ratios.map(ratioPanel),
  });
}

function ratioPanel({ title, rows }: Result): Panel {
  const cap = Number(/\bmax (\d+)/.exec(title)?.[1] ?? Infinity);
  return {
    title,
    rows: rows.filter(hasRatio).map((row) => {
      const figure = `${digits(row.versusFloor!.median)}x`;
      const peak = Number(row.counts['peak'] ?? 0);
      return {
        ...rankedOf(row),
        value: row.versusFloor!.median,
        quartiles: row.versusFloor!.quartiles,
        // Being faster with more connections than allowed is no merit.
        ...(peak > cap ? { figure: `${peak} open: ${figure}`, isBroken: true } : { figure }),
      };
    }),
  };
}

function bytesPanel(table: Result): Panel {
  return {
    title: table.title,
    rows: table.rows.map((row) => ({
      ...rankedOf(row),
      value: Math.round(row.cost),
      figure: amount(table, row.cost),
    })),
  };
}

function growthPanel({ title, sizes = [], rows }: Result): GrowthPanel {
  const lines = rows.map(({ name, role, growth }) => ({
    name: role === 'floor' ? 'floor' : name,
    standing: role === 'latchkey' ? ('ours' as const) : role === 'floor' ? role : ('other' as const),
    points: growth!.perOperation.map((ms, i) => [sizes[i]!, ms] as const),
  }));
  // The title of the picture says so: two long titles would collide.
  return { title: title.replace(/^Growth: /, ''), lines };
}

function rankedOf({ name, role }: Measured): Pick<Ranked, 'name' | 'standing'> {
  return { name, standing: standings[role] };
}

const standings = {
  floor: 'floor',
  part: 'floor',
  naive: 'naive',
  latchkey: 'ours',
  peer: 'peer',
} as const satisfies Record<Role, Ranked['standing']>;

function hasRatio({ role, versusFloor }: Measured): boolean {
  return role !== 'floor' && versusFloor !== undefined;
}
