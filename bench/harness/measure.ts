/**
 * How a figure is measured. All subjects of a case run in one process, in rounds, in a newly shuffled order each round. A
 * ratio is the median of the ratios inside the rounds, so that a slow moment of the machine slows both sides of it;
 * a time is a median, and half the distance of the quartiles is its uncertainty. The first rounds are thrown
 * away. Absolute times differ between machines. There is no forced garbage collection between samples: it
 * throws compiled code away, so the bench would measure the interpreter.
 */
import { type Growth, growthOf } from './growth.js';
import { RoundFigures, type Rounds } from './round-figures.js';
import { median, type Spread, shuffled, spreadOf } from './statistics.js';
import type { Case, Counts, Role, Sample, Subject } from './subjects.js';

export interface Measured {
  readonly name: string;
  readonly role: Role;
  /** Of one operation or of the whole scenario, in the unit of its table. */
  readonly cost: number;
  /** Half the interquartile range, relative to the median. */
  readonly spread: number;
  readonly rounds: number;
  readonly counts: Counts;
  /** Its cost in multiples of another subject's, over the rounds. */
  readonly versusNaive?: Spread;
  readonly versusFloor?: Spread;
  readonly growth?: Growth;
  readonly targets: readonly { label: string; figure: string; ok: boolean }[];
}

export async function measure(table: Case): Promise<Measured[]> {
  const rounds = await interleave(table);
  const figures = new RoundFigures(rounds);
  const naive = firstOf('naive', table.subjects);
  const floor = firstOf('floor', table.subjects);
  // Subjects reach different sizes, so their total costs cannot be compared.
  const compares = table.sizes === undefined;
  return table.subjects.map((subject) => {
    const samples = [...rounds.get(subject)!.values()];
    const { median: cost, quartiles } = spreadOf(samples.map((sample) => sample.cost));
    const { name, role, targets = [] } = subject;
    return {
      name,
      role,
      cost,
      spread: (quartiles[1] - quartiles[0]) / 2 / cost,
      rounds: samples.length,
      counts: medianCounts(samples),
      ...(compares && naive && { versusNaive: figures.versus(subject, naive) }),
      ...(compares && floor && { versusFloor: figures.versus(subject, floor) }),
      ...(table.sizes && { growth: growthOf(rounds.get(subject)!, floor && rounds.get(floor)) }),
      targets: targets.map((target) => ({ label: target.label, ...target.check(figures, name) })),
    };
  });
}

function firstOf(role: Role, subjects: readonly Subject[]): Subject | undefined {
  return subjects.find((subject) => subject.role === role);
}

async function interleave(table: Case): Promise<Rounds> {
  const { subjects, rounds = 7, warmups = 1, budgetMs = 1_500 } = table;
  const samples = new Map(subjects.map((subject) => [subject, new Map<number, Sample>()]));
  const spentMs = new Map(subjects.map((subject) => [subject, 0]));
  for (let round = -warmups; round < rounds; round++) {
    for (const subject of shuffled(subjects)) {
      const spent = spentMs.get(subject)!;
      if (spent > budgetMs && samples.get(subject)!.size > 0) continue;
      const startedMs = performance.now();
      const sample = await subject.sample();
      spentMs.set(subject, spent + performance.now() - startedMs);
      // If the first sample uses up the budget, the reason is not a cold compiler.
      if (round >= 0 || performance.now() - startedMs > budgetMs / 2)
        samples.get(subject)!.set(round, sample);
    }
  }
  return samples;
}

/** The median of numbers; the last of words. */
function medianCounts(samples: readonly Sample[]): Counts {
  const last = samples.at(-1)?.counts ?? {};
  const entries = Object.entries(last).map(([name, value]) => {
    if (typeof value === 'string') return [name, value];
    return [name, median(samples.map(({ counts }) => Number(counts?.[name])))];
  });
  return Object.fromEntries(entries);
}
