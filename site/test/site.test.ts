/** The built site in Chromium: pages, links, search, timelines. `npm run test:site` builds it first. */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { chromiumProgram, quietly } from '../../test/support/engines/chromium.js';
import { atNewSite, type ServerSite } from '../../test/support/engines/server-site.js';
import { type Served, served } from './served.js';

const html = fileURLToPath(new URL('../../.site/html', import.meta.url));
const pages = (await readdir(html, { recursive: true })).filter((name) => name.endsWith('.html')).sort();

let place: ServerSite;
let site: Served;
let browser: Browser;

beforeAll(async () => {
  site = await served(html);
  await atNewSite(async (made) => {
    place = made;
    const { command, env } = await chromiumProgram(made);
    const environment = { ...process.env, ...env } as Record<string, string>;
    browser = await chromium.launch({ executablePath: command, env: environment, args: quietly });
  });
}, 300_000);

afterAll(async () => {
  await browser?.close();
  await place?.remove();
  site?.close();
});

/** A page that notes what goes wrong in it. */
async function open(colorScheme: 'light' | 'dark' = 'light'): Promise<{ page: Page; faults: string[] }> {
  const page = await browser.newPage({ colorScheme });
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(`${page.url()}: ${error}`));
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(`${page.url()}: ${message.text()}`);
  });
  return { page, faults };
}

test('every page renders without an error, in light and in dark', async () => {
  const { page, faults } = await open();
  for (const name of pages.filter((file) => file !== '404.html')) {
    await page.goto(`${site.url}/${name}`);
    await page.waitForSelector('.vp-doc h1');
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      const wanted = `document.documentElement.classList.contains('dark') === ${colorScheme === 'dark'}`;
      await page.waitForFunction(wanted);
    }
    await page.emulateMedia({ colorScheme: 'light' });
  }
  await page.close();
  expect(faults).toEqual([]);
  expect(pages.length).toBeGreaterThan(60);
});

test('no link leads to a page, a file or a heading that is not there', async () => {
  const texts = new Map<string, string>();
  for (const name of pages) texts.set(`/${name}`, await readFile(path.join(html, name), 'utf8'));
  const files = new Set((await readdir(html, { recursive: true })).map((name) => `/${name}`));
  const dead: string[] = [];
  let links = 0;
  for (const [name, text] of texts) {
    for (const [, href = ''] of text.matchAll(/<a [^>]*href="([^"]*)"/g)) {
      const { origin, pathname, hash } = new URL(href, `http://site.test${name}`);
      if (origin !== 'http://site.test') continue;
      links++;
      const target = pathname.endsWith('/') ? `${pathname}index.html` : decodeURIComponent(pathname);
      const id = decodeURIComponent(hash.slice(1));
      const isThere = files.has(target) && (id === '' || texts.get(target)?.includes(`id="${id}"`) !== false);
      if (!isThere) dead.push(`${name} -> ${href}`);
    }
  }
  expect(dead).toEqual([]);
  expect(links).toBeGreaterThan(1_000);
});

test('search finds "deadlock"', async () => {
  const { page, faults } = await open();
  await page.goto(`${site.url}/`);
  await page.click('.VPNavBarSearch button');
  await page.fill('#localsearch-input', 'deadlock');
  await page.waitForSelector('.VPLocalSearchBox .results .result');
  const found = await page.locator('.VPLocalSearchBox .results .result').allTextContents();
  expect(found.join('\n')).toMatch(/watch/i);
  await page.close();
  expect(faults).toEqual([]);
});

describe('timelines run to their end', () => {
  /** Presses Run; resolves with the sentences of the two sides. */
  async function results(page: Page, of: string): Promise<string[]> {
    const demo = page.locator(`.timeline[data-of="${of}"]`);
    await demo.locator('button').click();
    await demo.locator('li').nth(1).waitFor();
    return demo.locator('li').allTextContents();
  }

  const servedAfter = (sentence = '') => Number(/last one after (\d+) ms/.exec(sentence)?.[1]);

  test('hosts: one lock takes at least five times as long as the pool', async () => {
    const { page, faults } = await open('dark');
    await page.goto(`${site.url}/timelines.html`);
    // Thirty would be thirty times, so that a busy machine does not decide.
    await page.locator('.timeline[data-of="hosts"] input[name="hosts"]').fill('30');
    const [naive, ours] = await results(page, 'hosts');
    expect(naive).toMatch(/^One lock, held while connecting: 30 of 30 hosts served/);
    expect(ours).toMatch(/^ConnectionPool: 30 of 30 hosts served/);
    expect(servedAfter(naive)).toBeGreaterThanOrEqual(5 * servedAfter(ours));
    const lanes = page.locator('.timeline[data-of="hosts"] rect.using');
    expect(await lanes.count()).toBe(60 + 1); // and one in the legend
    await page.close();
    expect(faults).toEqual([]);
  });

  test('hosts, one of them dead: the others are served before it fails', async () => {
    const { page } = await open();
    await page.goto(`${site.url}/timelines.html`);
    await page.locator('.timeline[data-of="hosts"] input[name="dead"]').fill('1');
    const [naive, ours] = await results(page, 'hosts');
    expect(ours).toMatch(/: 9 of 10 hosts served/);
    expect(servedAfter(ours)).toBeLessThan(1_000);
    expect(servedAfter(naive)).toBeGreaterThan(1_000);
    await page.close();
  });

  test('accounts: without a lock updates are lost, under KeyedMutex none', async () => {
    const { page, faults } = await open();
    await page.goto(`${site.url}/timelines.html`);
    expect(await results(page, 'accounts')).toEqual([
      'Without a lock: 8 of 10 deposits lost.',
      'KeyedMutex: 0 of 10 deposits lost.',
    ]);
    await page.close();
    expect(faults).toEqual([]);
  });
});
