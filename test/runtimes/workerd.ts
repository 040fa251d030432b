/** Cloudflare's workerd: the claims in a request, and what docs/workers.md says about locks of module scope. */
import { type ChildProcess, spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import * as esbuild from 'esbuild';
import { fromNpm } from './from-npm.js';
import type { Verdict } from './portable.js';
import type { Consumer, Subject } from './subject.js';

const packages: Readonly<Record<string, string>> = {
  'linux-x64': '@cloudflare/workerd-linux-64',
  'linux-arm64': '@cloudflare/workerd-linux-arm64',
  'darwin-x64': '@cloudflare/workerd-darwin-64',
  'darwin-arm64': '@cloudflare/workerd-darwin-arm64',
};

/** Without Node's modules, and with them. */
const flags = ['', 'nodejs_compat'];

const configFor = (flag: string) => `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .worker)],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
const worker :Workerd.Worker = (
  modules = [(name = "worker", esModule = embed "worker.js")],
  compatibilityDate = "2026-01-01",
  compatibilityFlags = [${flag === '' ? '' : `"${flag}"`}],
);
`;

export const workerd: Subject = {
  name: 'workerd',
  async attempt({ directory }: Consumer) {
    const name = packages[`${process.platform}-${process.arch}`];
    if (name === undefined) throw new Error('there is no workerd for this platform');
    const { modules, version } = await fromNpm(name);
    await esbuild.build({
      entryPoints: [join(directory, 'portable.workerd.js')],
      outfile: join(directory, 'worker.js'),
      bundle: true,
      // A claim looks for a function by its name.
      keepNames: true,
      platform: 'neutral',
      format: 'esm',
      logLevel: 'silent',
    });
    const program = join(modules, name, 'bin/workerd');
    const startedMs = performance.now();
    const verdicts: Verdict[] = [];
    for (const flag of flags) {
      const file = join(directory, 'config.capnp');
      await writeFile(file, configFor(flag));
      verdicts.push(
        ...(await verdictsUnder(program, file)).map(({ name, ...rest }) => ({
          name: `${flag} ${name}`.trim(),
          ...rest,
        })),
      );
    }
    return { version, verdicts, ms: performance.now() - startedMs };
  },
};

async function verdictsUnder(program: string, file: string): Promise<Verdict[]> {
  const child = spawn(program, ['serve', file, '--control-fd=1'], { stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    return await visit(await listening(child));
  } finally {
    child.kill('SIGKILL');
  }
}

/** Resolves with the address of the Worker. */
async function listening(child: ChildProcess): Promise<string> {
  const ended = new Promise<never>((_, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`workerd ended with ${code}`)));
  });
  const said = (async () => {
    for await (const line of createInterface(child.stdout!)) {
      const { event, port } = JSON.parse(line) as { event: string; port?: number };
      if (event === 'listen') return `http://127.0.0.1:${port}`;
    }
    throw new Error('workerd does not listen');
  })();
  return Promise.race([said, ended]);
}

async function visit(url: string): Promise<Verdict[]> {
  const get = async (path: string, signal?: AbortSignal) => {
    const answer = await fetch(url + path, signal === undefined ? {} : { signal });
    return { status: answer.status, text: await answer.text() };
  };
  const fourAtOnce = async (path: string) =>
    Promise.all([1, 2, 3, 4].map(async () => (await get(path)).status)).then((statuses) => statuses.sort());
  const verdict = (name: string, got: unknown, wanted: unknown): Verdict =>
    String(got) === String(wanted) ? { name } : { name, error: `expected ${wanted}, got ${got}` };

  const made = verdict('objects can be made at module scope', (await get('/made')).text, 6);
  const claims = JSON.parse((await get('/claims')).text) as Verdict[];
  const kept = await fourAtOnce('/kept');
  const keptLocked = (await get('/kept/locked')).text;
  const leaving = new AbortController();
  const gone = get('/left', leaving.signal).catch(() => {});
  while ((await get('/left/locked')).text !== 'true');
  leaving.abort();
  await gone;
  const next = (await get('/left')).status;
  const plain = await fourAtOnce('/plain');
  return [
    made,
    ...claims,
    verdict(
      'four requests with a timer of their own share a mutex of module scope',
      kept,
      [200, 200, 200, 200],
    ),
    verdict('it is free afterwards', keptLocked, false),
    verdict('a client that leaves while its request holds the mutex does not keep it', next, 200),
    // Not a wish: what the page says. If workerd changes, the page must.
    verdict('without that timer, the runtime ends the requests that wait', plain, [200, 500, 500, 500]),
    verdict('and the mutex stays held', (await get('/plain/locked')).text, true),
  ];
}
