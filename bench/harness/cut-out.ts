/** Compares the package with a copy from which a part was cut out: the cost of that part while it is not used. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

export type Latchkey = typeof import('latchkey') & typeof import('latchkey/watch');

/** The contents that replace a source file. */
export interface CutOut {
  readonly file: RegExp;
  readonly contents: string;
}

export interface Packages {
  readonly without: Latchkey;
  readonly within: Latchkey;
}

const root = fileURLToPath(new URL('../../../..', import.meta.url));

/** Bundles both in the same way, and removes the bundles when `use` has ended. */
export async function withPackages(
  cutOut: CutOut,
  use: (packages: Packages) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'latchkey-bench-'));
  try {
    await use({
      without: await bundled(path.join(folder, 'without.mjs'), cutOut),
      within: await bundled(path.join(folder, 'within.mjs')),
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function bundled(outfile: string, cutOut?: CutOut): Promise<Latchkey> {
  await build({
    stdin: {
      contents: "export * from './src/index.js'; export * from './src/watch.js';",
      resolveDir: root,
    },
    outfile,
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'node',
    plugins: [
      {
        name: 'cut out',
        setup({ onLoad }) {
          if (cutOut !== undefined) onLoad({ filter: cutOut.file }, () => ({ contents: cutOut.contents }));
        },
      },
    ],
  });
  return import(pathToFileURL(outfile).href);
}
