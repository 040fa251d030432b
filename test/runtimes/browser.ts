/** Headless Chromium: the package's own files, by an import map, without a bundler. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { chromium as playwright } from 'playwright-core';
import { chromiumProgram, quietly } from '../support/engines/chromium.js';
import { atNewSite } from '../support/engines/server-site.js';
import type { Verdict } from './portable.js';
import type { Consumer, Subject } from './subject.js';

export const chromium: Subject = {
  name: 'chromium',
  attempt: (consumer) =>
    atNewSite(async (site) => {
      try {
        const { command, env } = await chromiumProgram(site);
        return await visit(command, env, consumer);
      } finally {
        await site.remove();
      }
    }),
};

async function visit(executablePath: string, env: NodeJS.ProcessEnv, consumer: Consumer) {
  const server = await serve(consumer);
  const environment = { ...process.env, ...env } as Record<string, string>;
  const browser = await playwright.launch({ executablePath, env: environment, args: quietly });
  try {
    const page = await browser.newPage();
    const errors: string[] = [];
    page.on('pageerror', (error) => errors.push(String(error)));
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    const startedMs = performance.now();
    const verdicts = (await page.evaluate(
      `import('/portable.js').then((portable) => portable.tryClaims())`,
    )) as Verdict[];
    const quiet = 'no error reaches the page';
    verdicts.push(errors.length === 0 ? { name: quiet } : { name: quiet, error: errors.join('\n') });
    return { version: browser.version(), verdicts, ms: performance.now() - startedMs };
  } finally {
    await browser.close();
    server.close();
  }
}

async function serve({ directory, latchkey }: Consumer): Promise<Server> {
  const page = `<!doctype html><title>latchkey</title><script type="importmap">${await importMap(latchkey)}</script>`;
  const server = createServer(async ({ url = '/' }, response) => {
    const file = join(directory, new URL(url, 'http://host').pathname);
    if (extname(file) !== '.js') {
      response.setHeader('content-type', 'text/html').end(page);
      return;
    }
    response.setHeader('content-type', 'text/javascript');
    await readFile(file).then(
      (content) => response.end(content),
      () => response.writeHead(404).end(),
    );
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return server;
}

async function importMap(latchkey: string): Promise<string> {
  const manifest = JSON.parse(await readFile(join(latchkey, 'package.json'), 'utf8')) as {
    exports: Record<string, string | { default: string }>;
  };
  const imports = Object.entries(manifest.exports).flatMap(([entry, target]) =>
    typeof target === 'string'
      ? []
      : [[entry.replace('.', 'latchkey'), `/node_modules/latchkey/${target.default.replace('./', '')}`]],
  );
  return JSON.stringify({ imports: Object.fromEntries(imports) });
}
