/** The site has all pages: a page that is in no question of the sidebar would be found by search alone. */
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { llmsTxt } from '../../site/llms.js';
import { pagesOf } from '../../site/pages.js';
import { referencePages } from '../../site/reference/reference.js';
import { withReference } from '../../site/sidebar.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const pages = [...(await pagesOf(root, 'https://code.test')), ...(await referencePages(root))];
const files = pages.map(({ file }) => file);

test('each page answers one question of the sidebar: site/sidebar.ts', () => {
  const listed = withReference(files).flatMap((question) => question.pages);
  expect(listed.toSorted()).toEqual(files.map((file) => file.replace('.md', '')).toSorted());
});

test('a page that is missing, or listed without being there, is named', () => {
  expect(() => withReference([...files, 'new.md'])).toThrow('new is in no question');
  expect(() => withReference(files.filter((file) => file !== 'retry.md'))).toThrow('retry is not a page');
});

test('links lead to pages of the site, and to the code host for other files', () => {
  const home = pages.find(({ file }) => file === 'index.md')!.text;
  expect(home).toContain('](problems.md#migrate)');
  expect(home).not.toMatch(/\]\(docs\//);
  const recipe = pages.find(({ file }) => file === 'connection-pool.md')!.text;
  expect(recipe).toContain('](https://code.test/blob/main/docs/recipes/connection-pool-pg.ts');
});

test('the reference shows the docstring, the example and the declaration of an export', () => {
  const { text } = pages.find(({ file }) => file === 'api/latchkey.md')!;
  const mutex = text.slice(text.indexOf('\n## Mutex\n'));
  expect(mutex).toMatch(/^\n## Mutex\n\nA lock for one holder at a time/);
  expect(mutex).toContain('**Example**');
  expect(mutex).toContain('class Mutex implements Limiter {');
});

test('llms.txt lists every page with its title', () => {
  const list = llmsTxt({ name: 'latchkey', description: '' }, withReference(files), pages);
  expect(list).toContain('- [latchkey/diagnostics](/diagnostics.md): Every primitive publishes');
  expect(list.match(/^- \[/gm)).toHaveLength(files.length);
});
