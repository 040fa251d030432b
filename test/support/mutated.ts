import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';
import type * as everything from './everything.js';

/** A known mistake: one replacement in one source file. */
export interface Mutant {
  readonly name: string;
  /** The file, below src. */
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly from: string;
  readonly to: string;
}

const root = fileURLToPath(new URL('../..', import.meta.url));
const source = (file: string) => `${root}src/${file}`;

/** The package with the mutation in it. @throws when the mutant does not fit the source any more. */
export async function mutated({ file, from, to }: Mutant): Promise<typeof everything> {
  const text = await readFile(source(file), 'utf8');
  if (text.split(from).length !== 2)
    throw new Error(`${file} does not have exactly one ${JSON.stringify(from)}`);
  const mutate = ({ path }: { path: string }) =>
    path === source(file) ? { contents: text.replace(from, () => to), loader: 'ts' as const } : undefined;
  return bundled([{ name: 'mutation', setup: ({ onLoad }) => onLoad({ filter: /\.ts$/ }, mutate) }]);
}

/** The package as it is, made in the way in which mutants are made. */
export const unmutated = () => bundled([]);

async function bundled(plugins: Plugin[]): Promise<typeof everything> {
  const { outputFiles } = await build({
    entryPoints: [`${root}test/support/everything.ts`],
    bundle: true,
    write: false,
    format: 'iife',
    globalName: 'bundled',
    target: 'node20',
    alias: {
      latchkey: source('index.ts'),
      'latchkey/bounded-queue': source('queue/bounded-queue.ts'),
      'latchkey/single-flight': source('single-flight/single-flight.ts'),
    },
    plugins,
  });
  return new Function(`${outputFiles[0]?.text}; return bundled;`)() as typeof everything;
}
