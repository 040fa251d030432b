/** The samples of a table, round by round, and the figures that targets are compared with. */
import { growthOf } from './growth.js';
import { median, type Spread, spreadOf } from './statistics.js';
import type { Figures, Sample, Subject } from './subjects.js';

export type Rounds = ReadonlyMap<Subject, ReadonlyMap<number, Sample>>;

export class RoundFigures implements Figures {
  readonly #rounds: Rounds;

  constructor(rounds: Rounds) {
    this.#rounds = rounds;
  }

  cost(subject: string): number {
    return median(this.#samples(subject).map(({ cost }) => cost));
  }

  ratio(subject: string, other: string): number {
    return this.versus(this.#subject(subject), this.#subject(other)).median;
  }

  count(subject: string, name: string): number {
    return median(this.#samples(subject).map(({ counts }) => Number(counts?.[name])));
  }

  exponent(subject: string): number {
    return growthOf(this.#rounds.get(this.#subject(subject))!).exponent.median;
  }

  versus(subject: Subject, other: Subject): Spread {
    const own = this.#rounds.get(subject)!;
    const others = this.#rounds.get(other)!;
    const ratios = [...own].flatMap(([round, { cost }]) =>
      others.has(round) ? [cost / others.get(round)!.cost] : [],
    );
    // Two slow subjects may share no round. Then use the ratio of their medians.
    return spreadOf(ratios.length > 0 ? ratios : [this.cost(subject.name) / this.cost(other.name)]);
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
