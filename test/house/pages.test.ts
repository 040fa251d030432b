/** Every primitive has a page with the same headings in the same order, so that a reader of one page can find their way in all. */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const docs = fileURLToPath(new URL('../../docs', import.meta.url));

const headings = [
  'When and when not',
  'Example',
  'How it behaves',
  'Options',
  'Anti-patterns',
  'Testing it',
  'Diagnostics',
  'Coming from',
];

const pages = [
  'mutex',
  'keyed-mutex',
  'semaphore',
  'adaptive-semaphore',
  'connection-pool',
  'gather-settled',
  'retry',
  'bounded-queue',
  'single-flight',
  'postgres',
  'redis',
  'machine',
  'overload',
  'event-loop',
];

/** The page by its headings of the second level. */
async function sectionsOf(page: string): Promise<Map<string, string>> {
  const text = await readFile(path.join(docs, `${page}.md`), 'utf8');
  const outsideCode = text.replaceAll(/^```[\s\S]*?^```/gm, '```');
  const [, ...parts] = outsideCode.split(/^## /m);
  return new Map(parts.map((part) => [part.slice(0, part.indexOf('\n')), part.slice(part.indexOf('\n'))]));
}

test.each(pages)('%s.md has the fixed headings in their order; others may stand between', async (page) => {
  const sections = await sectionsOf(page);
  expect([...sections.keys()].filter((heading) => headings.includes(heading))).toEqual(headings);
  const empty = headings.filter((heading) => (sections.get(heading) ?? '').trim() === '');
  expect(empty, 'they say something').toEqual([]);
});

test.each(pages)('%s.md lists options with their defaults, and shows code', async (page) => {
  const sections = await sectionsOf(page);
  expect(sections.get('Options')).toMatch(/^\|.*\bdefault\b.*\|$/m);
  expect(sections.get('Example')).toContain('```');
  // Wrong beside right, or a bare block of what not to write.
  expect(sections.get('Anti-patterns')).toMatch(/```| {4}\S/);
});

const images = (await readdir(path.join(docs, 'images'))).filter((name) => name.endsWith('.svg'));

test.each(images)('%s is a picture that has dark colours and a description', async (name) => {
  const text = await readFile(path.join(docs, 'images', name), 'utf8');
  expect(text).toMatch(/^<svg [^>]*role="img"/);
  expect(text).toMatch(/<desc>[^<]{20,}<\/desc>/);
  expect(text).toContain('prefers-color-scheme:dark');
});
