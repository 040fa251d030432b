import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('../..', import.meta.url));
const { exports: entries } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8'));

/** `latchkey` and each of its sub-paths, from the sources. */
const sources = Object.fromEntries(
  Object.keys(entries)
    .filter((entry) => !entry.endsWith('.json'))
    .map((entry) => [
      path.join('latchkey', entry),
      path.join(root, 'src', entry === '.' ? 'index.ts' : `${entry}.ts`),
    ]),
);

/** A TypeScript program as one ES module, together with the sources that it imports. */
export async function bundled(code: string, external: string[] = []): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: code, loader: 'ts', resolveDir: root },
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    external,
    alias: sources,
  });
  return outputFiles[0]?.text ?? '';
}

/** Runs a TypeScript program against the sources, in a process of its own; resolves with its output. */
export async function printed(code: string, outfile: string, external: string[] = []): Promise<string> {
  await writeFile(outfile, await bundled(code, external));
  const { stdout } = await promisify(execFile)(process.execPath, [outfile], { timeout: 120_000 });
  return stdout;
}
