/** Headless Chromium: the package's own files, by an import map, without a bundler. */
import { once } from 'node:events';
import { access, constants, readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { delimiter, dirname, extname, join } from 'node:path';
import { chromium as playwright } from 'playwright-core';
import { debianProgram, type Program } from '../support/engines/debian-program.js';
import { atNewSite } from '../support/engines/server-site.js';
import type { Verdict } from './portable.js';
import type { Consumer, Subject } from './subject.js';

export const chromium: Subject = {
  name: 'chromium',
  attempt: (consumer) =>
    atNewSite(async (site) => {
      try {
        const { command, env } =
          (await installedBrowser()) ?? wholeProgram(await debianProgram(site, debianPackage));
        return await visit(command, env, consumer);
      } finally {
        await site.remove();
      }
    }),
};

/** Chromium without windows, and so without the libraries that these need. */
const debianPackage = 'chromium-headless-shell';

async function installedBrowser(): Promise<Program | undefined> {
  for (const name of ['chromium', 'chromium-browser', 'google-chrome']) {
    for (const directory of (process.env['PATH'] ?? '').split(delimiter)) {
      const command = join(directory, name);
      const isThere = await access(command, constants.X_OK).then(
        () => true,
        () => false,
      );
      if (isThere) return { command, env: {} };
    }
  }
  return undefined;
}

/**
 * What stands in `bin` is a script that looks for the browser where Debian installs it; and PulseAudio keeps a library in a
 * folder of its own, which only an installed one finds.
 */
function wholeProgram({ command, env }: Program): Program {
  const libraries = (env['LD_LIBRARY_PATH'] ?? '').split(delimiter).filter(Boolean);
  const all = [...libraries, ...libraries.map((directory) => join(directory, 'pulseaudio'))];
  return {
    command: join(dirname(command), '..', 'lib', 'chromium', debianPackage),
    env: libraries.length === 0 ? env : { ...env, LD_LIBRARY_PATH: all.join(delimiter) },
  };
}

async function visit(executablePath: string, env: NodeJS.ProcessEnv, consumer: Consumer) {
  const server = await serve(consumer);
  const quietly = [
    '--disable-gpu',
    '--disable-quic',
    '--disable-background-networking',
    '--disable-component-update',
  ];
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
