/**
 * How a figure is got. All subjects of a case run in one process, in rounds, in a newly shuffled order each round. A
 * ratio is the median of the ratios inside the rounds, so that whatever slows the machine down slows both sides of it;
 * a time is a median, and half the distance of the quartiles says how far to trust it. The first rounds are thrown
 * away. Absolute times mean nothing on another machine. There is no forced garbage collection between samples: it
 * throws compiled code away, and what was measured would be the interpreter.
 */
import { median, quantile, shuffled } from './statistics.js';
import type { Case, Counts, Figures, Role, Sample, Subject } from './subjects.js';

export interface Measured {
  readonly name: string;
  readonly role: Role;
  readonly ms: number;
  /** Half the interquartile range, relative to the median. */
  readonly spread: number;
  readonly rounds: number;
  readonly counts: Counts;
  /** Its time in multiples of another subject's: median and quartiles over the rounds. */
  readonly versusNaive?: Ratio;
  readonly versusFloor?: Ratio;
  readonly targets: readonly { label: string; figure: string; ok: boolean }[];
}

export interface Ratio {
  readonly median: number;
  readonly quartiles: readonly [number, number];
}

type Rounds = ReadonlyMap<Subject, ReadonlyMap<number, Sample>>;

export async function measure(table: Case): Promise<Measured[]> {
  const rounds = await interleave(table);
  const figures = new RoundFigures(rounds);
  const naive = firstOf('naive', table.subjects);
  const floor = firstOf('floor', table.subjects);
  return table.subjects.map((subject) => {
    const samples = [...rounds.get(subject)!.values()];
    const times = samples.map(({ ms }) => ms);
    const ms = median(times);
    const { name, role, targets = [] } = subject;
    return {
      name,
      role,
      ms,
      spread: (quantile(times, 0.75) - quantile(times, 0.25)) / 2 / ms,
      rounds: samples.length,
      counts: medianCounts(samples),
      ...(naive && { versusNaive: figures.versus(subject, naive) }),
      ...(floor && { versusFloor: figures.versus(subject, floor) }),
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
      // A subject whose first sample has used the budget up is slow for other reasons than a cold compiler.
      if (round >= 0 || performance.now() - startedMs > budgetMs / 2)
        samples.get(subject)!.set(round, sample);
    }
  }
  return samples;
}

class RoundFigures implements Figures {
  readonly #rounds: Rounds;

  constructor(rounds: Rounds) {
    this.#rounds = rounds;
  }

  ms(subject: string): number {
    return median(this.#samples(subject).map(({ ms }) => ms));
  }

  ratio(subject: string, other: string): number {
    return this.versus(this.#subject(subject), this.#subject(other)).median;
  }

  count(subject: string, name: string): number {
    return median(this.#samples(subject).map(({ counts }) => Number(counts?.[name])));
  }

  versus(subject: Subject, other: Subject): Ratio {
    const own = this.#rounds.get(subject)!;
    const others = this.#rounds.get(other)!;
    let ratios = [...own].flatMap(([round, { ms }]) =>
      others.has(round) ? [ms / others.get(round)!.ms] : [],
    );
    // Two slow subjects may share no round; then the medians have to do.
    if (ratios.length === 0) ratios = [this.ms(subject.name) / this.ms(other.name)];
    return { median: median(ratios), quartiles: [quantile(ratios, 0.25), quantile(ratios, 0.75)] };
  }

  #samples(name: string): Sample[] {
    return [...this.#rounds.get(this.#subject(name))!.values()];
  }

  #subject(name: string): Subject {
    for (const subject of this.#rounds.keys()) {
      if (subject.name === name || subject.role === name) return subject;
    }
    throw new RangeError(`no subject is named ${JSON.stringify(name)}`);
  }
}

/** Of numbers the median, of words the last. */
function medianCounts(samples: readonly Sample[]): Counts {
  const last = samples.at(-1)?.counts ?? {};
  const entries = Object.entries(last).map(([name, value]) => {
    if (typeof value === 'string') return [name, value];
    return [name, median(samples.map(({ counts }) => Number(counts?.[name])))];
  });
  return Object.fromEntries(entries);
}
