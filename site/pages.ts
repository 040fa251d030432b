/**
 * The pages of the site: the markdown of the repository, in other places. Links between pages follow; a link to any
 * other file of the repository leads to the code host.
 */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

export interface Page {
  /** Its place in the site, such as `recipes/fencing.md`. */
  readonly file: string;
  readonly text: string;
}

const places: Readonly<Record<string, string>> = {
  'README.md': 'index.md',
  'docs/README.md': 'problems.md',
  'CHANGELOG.md': 'changelog.md',
  'CONTRIBUTING.md': 'contributing.md',
  'SECURITY.md': 'security.md',
};

/** Where a file of the repository is in the site, if it is there. */
function placeOf(file: string): string | undefined {
  if (places[file] !== undefined) return places[file];
  return /^docs\/.*\.(?:md|svg)$/.test(file) ? file.replace('docs/', '') : undefined;
}

export async function pagesOf(root: string, codeHost: string): Promise<Page[]> {
  const docs = (await readdir(path.join(root, 'docs'), { recursive: true })).sort();
  const below = docs.filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`);
  const files = [...new Set([...Object.keys(places), ...below])];
  return Promise.all(
    files.map(async (file) => ({
      file: placeOf(file)!,
      text: withLinksOfSite(file, await readFile(path.join(root, file), 'utf8'), codeHost),
    })),
  );
}

function withLinksOfSite(file: string, text: string, codeHost: string): string {
  return outsideCode(text, (prose) =>
    prose.replaceAll(/\]\((?![a-z]+:|#)([^)#\s]+)/g, (_, target: string) => {
      const found = path.posix.join(path.posix.dirname(file), target);
      const place = placeOf(found);
      if (place === undefined) return `](${codeHost}/blob/main/${found}`;
      return `](${path.posix.relative(path.posix.dirname(placeOf(file)!), place)}`;
    }),
  );
}

function outsideCode(text: string, change: (prose: string) => string): string {
  return text
    .split(/(^```[\s\S]*?^```)/m)
    .map((part, i) => (i % 2 === 1 ? part : change(part)))
    .join('');
}

export function titleOf({ file, text }: Page): string {
  const title = /^# (.*)$/m.exec(text)?.[1];
  if (title === undefined) throw new Error(`${file} has no title`);
  return title.replaceAll('`', '');
}
