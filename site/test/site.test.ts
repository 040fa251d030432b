/** The built site in Chromium: pages, links, search, timelines. `npm run test:site` builds it first. */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
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

test('the first page loads less than 200 kB, gzipped, and no file of the timelines', async () => {
  const { page, faults } = await open();
  const loaded: Promise<readonly [url: string, bytes: number]>[] = [];
  page.on('response', (response) => {
    loaded.push(response.body().then((body) => [response.url(), gzipSync(body).length]));
  });
  await page.goto(`${site.url}/`, { waitUntil: 'networkidle' });
  const files = await Promise.all(loaded);
  const bytes = files.reduce((sum, [, size]) => sum + size, 0);
  expect(bytes).toBeGreaterThan(50_000);
  expect(bytes).toBeLessThan(200_000);
  expect(files.filter(([url]) => url.includes('/live/'))).toEqual([]);
  await page.close();
  expect(faults).toEqual([]);
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
  const demoOf = (page: Page, of: string) => page.locator(`.timeline[data-of="${of}"]`);

  async function openDemo(of: string, values: Readonly<Record<string, string>> = {}, scheme?: 'dark') {
    const opened = await open(scheme);
    await opened.page.goto(`${site.url}/timelines.html`);
    const demo = demoOf(opened.page, of);
    for (const [name, value] of Object.entries(values))
      await demo.locator(`input[name="${name}"]`).fill(value);
    return { ...opened, demo };
  }

  type Opened = Awaited<ReturnType<typeof openDemo>>;

  /** Presses Run; resolves with the sentences of the two sides, when both have ended. */
  async function results({ demo }: Opened): Promise<string[]> {
    await demo.locator('button').click();
    await demo.locator('li').nth(1).waitFor();
    return demo.locator('li p').allTextContents();
  }

  /** How many spans of a colour the picture has, without the one of the legend. */
  const spans = ({ demo }: Opened, colour: string) => demo.locator(`rect.${colour}:not(.legend)`).count();

  async function close({ page, faults }: Opened): Promise<void> {
    await page.close();
    expect(faults).toEqual([]);
  }

  const number = (pattern: RegExp, sentence = '') => Number(pattern.exec(sentence)?.[1]);
  const servedAfter = (sentence?: string) => number(/last one after (\d+) ms/, sentence);

  test('hosts: one lock takes at least five times as long as the pool', async () => {
    // Thirty would be thirty times, so that a busy machine does not decide.
    const opened = await openDemo('hosts', { hosts: '30' }, 'dark');
    const [naive, ours] = await results(opened);
    expect(naive).toMatch(/^One lock, held while connecting: 30 of 30 hosts served/);
    expect(ours).toMatch(/^ConnectionPool: 30 of 30 hosts served/);
    expect(servedAfter(naive)).toBeGreaterThanOrEqual(5 * servedAfter(ours));
    expect(await spans(opened, 'using')).toBe(60);
    expect(await spans(opened, 'connecting')).toBe(60);
    await close(opened);
  });

  test('hosts, one of them dead: the others are served before it fails', async () => {
    const opened = await openDemo('hosts', { dead: '1' });
    const [naive, ours] = await results(opened);
    expect(ours).toMatch(/: 9 of 10 hosts served/);
    expect(servedAfter(ours)).toBeLessThan(1_000);
    expect(servedAfter(naive)).toBeGreaterThan(1_000);
    expect(await spans(opened, 'failed')).toBe(2);
    await close(opened);
  });

  test('hosts: with max 1 the pool connects to one host after the other', async () => {
    const opened = await openDemo('hosts', { hosts: '5', connectMs: '50', max: '1' });
    const [, ours] = await results(opened);
    expect(ours).toMatch(/: 5 of 5 hosts served/);
    expect(servedAfter(ours)).toBeGreaterThanOrEqual(5 * 50);
    await close(opened);
  });

  test('one host: every request dials, the pool dials at most `max`', async () => {
    const opened = await openDemo('oneHost', { requests: '100', max: '10', shared: '1' });
    const [naive, ours] = await results(opened);
    expect(naive).toMatch(/: 100 requests served, .* 100 connections dialled/);
    expect(ours).toMatch(/: 100 requests served, .* 10 connections dialled/);
    expect(await spans(opened, 'using')).toBe(200);
    expect(await opened.demo.locator('path[data-line="connections"]').count()).toBe(2);
    await close(opened);
  });

  test('memory: a Map keeps a connection per host, the pool at most `max`', async () => {
    const opened = await openDemo('memory', { hosts: '60', max: '7' });
    expect(await results(opened)).toEqual([
      'A Map of connections: at most 60 connections at once.',
      'ConnectionPool with max: at most 7 connections at once.',
    ]);
    await close(opened);
  });

  test('accounts: without a lock updates are lost, under KeyedMutex none', async () => {
    const opened = await openDemo('accounts');
    expect(await results(opened)).toEqual([
      'Without a lock: 8 of 10 deposits lost.',
      'KeyedMutex: 0 of 10 deposits lost.',
    ]);
    // Only the first deposit of each account does not wait.
    expect(await spans(opened, 'waiting')).toBe(8);
    await close(opened);
  });

  test('overload: controlledDelay answers more calls in time than first come, first served', async () => {
    const opened = await openDemo('overload', { percent: '300' });
    const [fifo, controlled] = await results(opened);
    const inTime = (sentence?: string) => number(/: (\d+) calls answered in time/, sentence);
    expect(inTime(controlled)).toBeGreaterThan(2 * inTime(fifo));
    expect(fifo).toMatch(/, 0 refused/);
    expect(number(/(\d+) refused/, controlled)).toBeGreaterThan(0);
    await close(opened);
  });

  test('adaptive: the limit follows the workers that the reader takes away', async () => {
    const opened = await openDemo('adaptive', { workers: '30', seconds: '30' });
    const { page, demo } = opened;
    const line = `document.querySelectorAll('.timeline[data-of="adaptive"] path[data-line="limit"]')[1]`;
    await demo.locator('button').click();
    // The law has changed the limit a few times: it has seen the backend.
    await page.waitForFunction(`${line}?.getAttribute('d').split('V').length > 4`);
    await demo.locator('input[name="workers"]').fill('3');
    await page.waitForFunction(`Number(${line}.dataset.value) < 12`);
    await demo.locator('li').nth(1).waitFor({ timeout: 60_000 });
    const [fixed, adaptive] = await demo.locator('li p').allTextContents();
    expect(fixed).toMatch(/under a limit of 40\.$/);
    const inBackend = (sentence?: string) => number(/took (\d+) ms or less/, sentence);
    expect(inBackend(fixed)).toBeGreaterThan(inBackend(adaptive));
    await close(opened);
  });

  test('deadlock: the watcher names both transfers, runAll ends', async () => {
    const opened = await openDemo('deadlock', { queryMs: '20' });
    expect(await results(opened)).toEqual([
      'One account locked after the other: 0 of 2 transfers done.',
      'runAll: 2 of 2 transfers done.',
    ]);
    const tree = await opened.demo.locator('pre').textContent();
    expect(tree).toMatch(/^2 held, 2 waiting\nKeyedMutex "ann" held for \d+ ms since deadlock\.js:/);
    expect(tree?.match(/ {2}DEADLOCK$/gm)).toHaveLength(2);
    expect(await spans(opened, 'failed')).toBe(2);
    await close(opened);
  });
});
