/**
 * What all pictures share. They are light or dark as the reader's system is, and have a background, because a page may be dark while
 * the system is light.
 */

/** Okabe and Ito's colours, which colour-blind readers can tell apart; the first is ours. On a dark background they are lighter. */
const light: Readonly<Record<string, string>> = {
  paper: '#fff',
  text: '#222',
  label: '#555',
  grid: '#ddd',
  reference: '#444',
  part: '#999',
  c0: '#0072b2',
  c1: '#e69f00',
  c2: '#009e73',
  c3: '#cc79a7',
  c4: '#d55e00',
  c5: '#56b4e9',
};
const dark: Readonly<Record<string, string>> = {
  paper: '#0d1117',
  text: '#e6edf3',
  label: '#9198a1',
  grid: '#30363d',
  reference: '#b1bac4',
  part: '#6e7681',
  c0: '#4aa8e0',
  c1: '#f0b93a',
  c2: '#3cc79b',
  c3: '#dd9abf',
  c4: '#f0874a',
  c5: '#8fd0f5',
};

const declared = (of: Readonly<Record<string, string>>) =>
  Object.entries(of)
    .map(([name, colour]) => `--${name}:${colour}`)
    .join(';');
const style = `<style>:root{${declared(light)}}@media(prefers-color-scheme:dark){:root{${declared(dark)}}}</style>`;

export const colours = {
  ours: 'var(--c0)',
  others: ['var(--c1)', 'var(--c2)', 'var(--c3)', 'var(--c4)', 'var(--c5)'],
  reference: 'var(--reference)',
  part: 'var(--part)',
  paper: 'var(--paper)',
  text: 'var(--text)',
  label: 'var(--label)',
  grid: 'var(--grid)',
} as const;

export interface Frame {
  readonly title: string;
  /** What the picture shows, for readers who do not see it. */
  readonly description: string;
  readonly width: number;
  readonly height: number;
  /** Where the title begins. */
  readonly left: number;
}

export function picture({ title, description, width, height, left }: Frame, body: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="12">`,
    `<title>${escaped(title)}</title>`,
    `<desc>${escaped(description)}</desc>`,
    style,
    `<rect width="${width}" height="${height}" rx="6" fill="${colours.paper}"/>`,
    `<text x="${left}" y="22" font-size="14" font-weight="600" fill="${colours.text}">${escaped(title)}</text>`,
    ...body,
    '</svg>',
    '',
  ].join('\n');
}

export interface TextStyle {
  readonly fill?: string;
  readonly anchor?: 'start' | 'middle' | 'end';
  readonly bold?: boolean;
}

export function label(x: number, y: number, text: string, style: TextStyle = {}): string {
  const { fill = colours.label, anchor = 'start', bold = false } = style;
  const weight = bold ? ' font-weight="600"' : '';
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}"${weight} fill="${fill}">${escaped(text)}</text>`;
}

export function polyline(points: readonly (readonly number[])[]): string {
  return points.map(([x, y], i) => `${i === 0 ? 'M' : 'L'}${x!.toFixed(1)} ${y!.toFixed(1)}`).join('');
}

/** Where a value lies between two pixels, on a logarithmic axis. */
export function logScale(low: number, high: number, from: number, until: number): (value: number) => number {
  return (value) => from + (Math.log(value / low) / Math.log(high / low)) * (until - from);
}

export function escaped(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;');
}
