/**
 * The files of the timelines that a browser loads: the compiled programs, and the built package as it is published. They are not
 * bundled, so that a stack in `latchkey/watch` names a file that the reader can open.
 */
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

const programs = ['site/timelines', 'bench/naive'];

export async function copyLiveFiles(root: string, target: string): Promise<void> {
  await copyPackage(path.join(root, 'dist'), path.join(target, 'latchkey'));
  for (const folder of programs) {
    const from = path.join(root, 'site/.dist', folder);
    const to = path.join(target, folder);
    await mkdir(to, { recursive: true });
    for (const name of await readdir(from)) {
      const text = await readFile(path.join(from, name), 'utf8');
      await writeFile(path.join(to, name), withPaths(text));
    }
  }
}

async function copyPackage(from: string, to: string): Promise<void> {
  const filter = (source: string) =>
    !path.relative(from, source).startsWith('cjs') && !source.endsWith('.d.ts');
  await cp(from, to, { recursive: true, filter });
}

/** A browser finds no package by its name. */
function withPaths(text: string): string {
  return text.replaceAll(
    /(from|import) 'latchkey(?:\/([\w-]+))?'/g,
    (_, keyword: string, entry = 'index') => {
      return `${keyword} '../../latchkey/${entry}.js'`;
    },
  );
}
