/** Compares the package with a copy from which a part was cut out: the cost of that part while it is not used. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { crowd } from './stopwatch.js';
import type { Case, Subject, Target } from './subjects.js';

export type Latchkey = typeof import('latchkey') & typeof import('latchkey/watch');

/** What replaces the contents of source files. */
export interface CutOut {
  readonly file: RegExp;
  readonly contents: (source: string) => string;
}

export interface Packages {
  readonly without: Latchkey;
  readonly within: Latchkey;
}

/** One row of a table: what is measured, of the package that it is given. */
export type MakeSubject = (
  latchkey: Latchkey,
  description: Pick<Subject, 'name' | 'role' | 'targets'>,
) => Subject;

/** Callers that wait for one mutex: the row of everything that a wait can cost more. */
export const mutexCrowd: MakeSubject = ({ Mutex }, description) =>
  crowd(
    description,
    1_000,
    () => {
      const mutex = new Mutex();
      return (task) => mutex.run(task);
    },
    async () => {},
  );

/** A table of the package beside the one without the part, which is its floor. */
export function cutOutCase(
  { without, within }: Packages,
  makeSubject: MakeSubject,
  {
    title,
    shows,
    floor,
    targets,
  }: { title: string; shows: string; floor: string; targets: readonly Target[] },
): Case {
  return {
    title,
    shows,
    rounds: 15,
    warmups: 3,
    subjects: [
      makeSubject(without, { name: floor, role: 'floor' }),
      makeSubject(within, { name: 'latchkey', role: 'latchkey', targets }),
    ],
  };
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
  const contents = "export * from './src/index.js'; export * from './src/watch.js';";
  await writeFile(outfile, await bundleOf(contents, cutOut));
  return import(pathToFileURL(outfile).href);
}

/** The gzipped bundle of a program that imports from `./src`. */
export function gzippedBundle(contents: string, cutOut?: CutOut): Promise<number> {
  return bundleOf(contents, cutOut).then((bundle) => gzipSync(bundle).length);
}

async function bundleOf(contents: string, cutOut: CutOut | undefined): Promise<Uint8Array> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: root },
    write: false,
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'node',
    plugins: [
      {
        name: 'cut out',
        setup({ onLoad }) {
          if (cutOut === undefined) return;
          onLoad({ filter: cutOut.file }, async ({ path: file }) => ({
            contents: cutOut.contents(await readFile(file, 'utf8')),
            loader: 'ts',
          }));
        },
      },
    ],
  });
  return outputFiles[0]!.contents;
}
