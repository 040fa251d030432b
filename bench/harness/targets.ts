/** The kinds of targets. */
import type { Target } from './subjects.js';

/** Takes at most `limit` times the other's time. */
export function atMost(limit: number, other: string): Target {
  return {
    label: `<= ${limit}x ${other}`,
    check: (figures, subject) => {
      const ratio = figures.ratio(subject, other);
      return { figure: times(ratio), ok: ratio <= limit };
    },
  };
}

/** Is at least `factor` times as fast as the other. */
export function asFastAs(factor: number, other: string): Target {
  return {
    label: `>= ${factor}x as fast as ${other}`,
    check: (figures, subject) => {
      const speedup = figures.ratio(other, subject);
      return { figure: times(speedup), ok: speedup >= factor };
    },
  };
}

export function within(limitMs: number): Target {
  return {
    label: `< ${limitMs} ms`,
    check: (figures, subject) => {
      const ms = figures.cost(subject);
      return { figure: `${ms.toFixed(1)} ms`, ok: ms < limitMs };
    },
  };
}

export function bytesAtMost(limit: number): Target {
  return {
    label: `<= ${limit} bytes`,
    check: (figures, subject) => {
      const bytes = Math.round(figures.cost(subject));
      return { figure: `${bytes} bytes`, ok: bytes <= limit };
    },
  };
}

/** Linear, apart from what garbage collection adds to the other, too. */
export function growsLike(other: string): Target {
  const room = 0.1;
  return {
    label: `exponent <= ${room} above ${other}`,
    check: (figures, subject) => {
      const excess = figures.exponent(subject) - figures.exponent(other);
      return { figure: excess.toFixed(2), ok: excess <= room };
    },
  };
}

export function countAtMost(limit: number, name: string): Target {
  return {
    label: `<= ${limit} ${name}`,
    check: (figures, subject) => {
      const count = figures.count(subject, name);
      return { figure: String(count), ok: count <= limit };
    },
  };
}

export function countAtLeast(limit: number, name: string): Target {
  return {
    label: `>= ${limit} ${name}`,
    check: (figures, subject) => {
      const count = figures.count(subject, name);
      return { figure: String(Math.round(count)), ok: count >= limit };
    },
  };
}

/** Its count is at most `share` of the other's. */
export function shareOfCount(share: number, name: string, other: string): Target {
  return {
    label: `<= 1/${Math.round(1 / share)} of the ${name} of ${other}`,
    check: (figures, subject) => {
      const own = figures.count(subject, name);
      const others = figures.count(other, name);
      return { figure: `${own} / ${others}`, ok: own <= others * share };
    },
  };
}

function times(ratio: number): string {
  return `${ratio.toPrecision(3)}x`;
}
