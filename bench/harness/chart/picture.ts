/** What all pictures share. The background is white, so that they look the same on light and dark pages. */

/** Okabe and Ito's colours, which colour-blind readers can tell apart; the first is ours. */
export const colours = {
  ours: '#0072B2',
  others: ['#E69F00', '#009E73', '#CC79A7', '#D55E00', '#56B4E9'],
  reference: '#444444',
  text: '#222',
  label: '#555',
  grid: '#ddd',
} as const;

export interface Frame {
  readonly title: string;
  readonly width: number;
  readonly height: number;
  /** Where the title begins. */
  readonly left: number;
}

export function picture({ title, width, height, left }: Frame, body: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="12">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${width}" height="${height}" rx="6" fill="#fff"/>`,
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
