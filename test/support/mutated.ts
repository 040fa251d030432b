import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type * as latchkey from 'latchkey';

/** A known way to be wrong: one replacement in one source file. */
export interface Mutant {
  readonly name: string;
  /** The file, below src. */
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly from: string;
  readonly to: string;
}

const source = (file: string) => fileURLToPath(new URL(`../../src/${file}`, import.meta.url));

/** The package with the mutation in it. @throws when the mutant does not fit the source any more. */
export async function mutated({ file, from, to }: Mutant): Promise<typeof latchkey> {
  const text = await readFile(source(file), 'utf8');
  if (text.split(from).length !== 2)
    throw new Error(`${file} does not have exactly one ${JSON.stringify(from)}`);
  const { outputFiles } = await build({
    entryPoints: [source('index.ts')],
    bundle: true,
    write: false,
    format: 'iife',
    globalName: 'mutated',
    target: 'node20',
    plugins: [
      {
        name: 'mutation',
        setup({ onLoad }) {
          onLoad({ filter: /\.ts$/ }, ({ path }) =>
            path === source(file) ? { contents: text.replace(from, () => to), loader: 'ts' } : undefined,
          );
        },
      },
    ],
  });
  return new Function(`${outputFiles[0]?.text}; return mutated;`)() as typeof latchkey;
}
