/** Recipes for overload: real servers and clients on every side. */
import { once } from 'node:events';
import { Agent, createServer, get, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { serve } from '@hono/node-server';
import { Client } from '@modelcontextprotocol/client';
import { InMemoryTransport, McpServer } from '@modelcontextprotocol/server';
import fastify from 'fastify';
import { Hono } from 'hono';
import { AdaptiveSemaphore, type LimitSample, RetryBudget } from 'latchkey';
import * as undici from 'undici';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { type Admit, admission, admitted } from '../../docs/recipes/admission.js';
import { addAdmission } from '../../docs/recipes/admission-fastify.js';
import { admissionOf } from '../../docs/recipes/admission-hono.js';
import { admittedTool } from '../../docs/recipes/admission-mcp.js';
import { hedging } from '../../docs/recipes/hedging.js';
import { limited } from '../../docs/recipes/limited-dispatcher.js';
import { llmClient } from '../../docs/recipes/llm-client.js';
import { hedged } from '../../docs/recipes/naive/hedging.js';
import { requestSignal as requestSignalNaively } from '../../docs/recipes/naive/request-signal.js';
import { requestSignal } from '../../docs/recipes/request-signal.js';

const patience = { timeout: 10_000 };
/** One at a time. */
const one = { limit: 1, onSample() {} };

type Handler = (request: IncomingMessage, response: ServerResponse) => unknown;

async function listening(handler: Handler) {
  const server = createServer((request, response) => void handler(request, response));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { port, url: `http://127.0.0.1:${port}/` };
}

/** Answers wait for `open()`. */
function gate() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

/** Asks until one is refused: the first ones stand in the queue until the server knows that it is overloaded. */
async function refusal(ask: () => Promise<Response>): Promise<Response> {
  let refused: Response | undefined;
  await vi.waitFor(() => {
    ask().then(
      (answer) => {
        if (answer.status === 503) refused = answer;
      },
      () => {},
    );
    expect(refused).toBeDefined();
  }, patience);
  return refused!;
}

function expectRefusal(answer: { status: number; headers: Headers }): void {
  expect(answer.status).toBe(503);
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
}

describe('request-signal', () => {
  test('a client that leaves aborts its request, and one that has its answer does not', async () => {
    const signals: AbortSignal[] = [];
    const { url, port } = await listening((request, response) => {
      signals.push(requestSignal(request, response));
      if (request.url === '/') response.end('done');
    });
    const agent = new Agent({ keepAlive: true });
    const [answer] = (await once(get(url, { agent }), 'response')) as [IncomingMessage];
    answer.resume();
    await once(answer, 'end');
    const leaving = get({ port, path: '/never', agent });
    leaving.on('error', () => {});
    await vi.waitFor(() => expect(signals).toHaveLength(2), patience);
    leaving.destroy();
    await vi.waitFor(() => expect(signals[1]!.aborted).toBe(true), patience);
    expect(signals[0]!.aborted).toBe(false);
    agent.destroy();
  });

  test('requests that were sent before the first was answered abort, too', async () => {
    const signals: AbortSignal[] = [];
    const { port } = await listening(
      (request, response) => void signals.push(requestSignal(request, response)),
    );
    const socket = connect(port, '127.0.0.1');
    socket.write('GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n');
    await vi.waitFor(() => expect(signals).toHaveLength(2), patience);
    socket.destroy();
    await vi.waitFor(() => expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]), patience);
  });

  test.each([
    ['one listener', requestSignal, 1],
    ['a listener each with the naive code', requestSignalNaively, 20],
  ])('20 requests over a kept connection leave %s', async (_claim, signalOf, left) => {
    let listeners = 0;
    const { url } = await listening((request, response) => {
      const before = request.socket.listenerCount('close');
      signalOf(request, response);
      listeners += request.socket.listenerCount('close') - before;
      response.end();
    });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let i = 0; i < 20; i++) {
      const [answer] = (await once(get(url, { agent }), 'response')) as [IncomingMessage];
      answer.resume();
      await once(answer, 'end');
    }
    agent.destroy();
    expect(listeners).toBe(left);
  });
});

describe('admission', () => {
  test('node:http: a standing queue is refused with Retry-After, and a client that leaves gives up its place', async () => {
    const admit = admission({ algorithm: one });
    const { opened, open } = gate();
    const served: string[] = [];
    const { url, port } = await listening(async (request, response) => {
      if (!(await admitted(admit, 'a', request, response))) return;
      served.push(request.url!);
      await opened;
      response.end('done');
    });
    const first = fetch(`${url}first`);
    await vi.waitFor(() => expect(served).toEqual(['/first']), patience);
    const leaving = get({ port, path: '/leaving' });
    leaving.on('error', () => {});
    expectRefusal(await refusal(() => fetch(`${url}more`)));
    leaving.destroy();
    open();
    expect(await (await first).text()).toBe('done');
    await vi.waitFor(async () => expect((await fetch(`${url}last`)).status).toBe(200), patience);
    expect(served).not.toContain('/leaving');
  });

  test.each([
    { options: {}, answers: ['QueueFullError', 'served'] },
    { options: { targetMs: 60_000 }, answers: ['served', 'served'] },
  ])(
    'with $options, a request that waits behind a standing queue and the next are $answers',
    async ({ options, answers }) => {
      const admit = admission({ algorithm: one, ...options });
      const { signal } = new AbortController();
      const served = () =>
        admit('a', signal).then(
          (permit) => {
            permit.release();
            return 'served';
          },
          ({ name }: Error) => name,
        );
      const first = await admit('a', signal);
      const waiting = served();
      // Longer than the interval for which a queue may stand.
      await new Promise((resolve) => setTimeout(resolve, 150));
      const next = served();
      first.release();
      expect(await Promise.all([waiting, next])).toEqual(answers);
    },
  );

  test('a client that leaves while it is served gives the permit back', async () => {
    const admit = admission({ algorithm: one });
    const served: string[] = [];
    const { url, port } = await listening(async (request, response) => {
      if (!(await admitted(admit, 'a', request, response))) return;
      served.push(request.url!);
      if (request.url !== '/leaving') response.end();
    });
    const leaving = get({ port, path: '/leaving' });
    leaving.on('error', () => {});
    await vi.waitFor(() => expect(served).toEqual(['/leaving']), patience);
    leaving.destroy();
    await vi.waitFor(async () => expect((await fetch(url)).status).toBe(200), patience);
  });

  test('tenants take turns', async () => {
    const admit = admission({ algorithm: one });
    const { signal } = new AbortController();
    const served: string[] = [];
    const ask = async (tenant: string) => {
      const permit = await admit(tenant, signal);
      served.push(tenant);
      permit.release();
    };
    const first = await admit('a', signal);
    const all = Promise.all(['a', 'a', 'a', 'b', 'b'].map(ask));
    await turn();
    first.release();
    await all;
    expect(served).toEqual(['a', 'b', 'a', 'b', 'a']);
  });

  test('while the event loop is late, requests are refused', async () => {
    const admit = admission({ algorithm: one, maxLagMs: 50 });
    const { signal } = new AbortController();
    (await admit('a', signal)).release();
    await vi.waitFor(async () => {
      const untilMs = performance.now() + 200;
      while (performance.now() < untilMs);
      // The block is known one tick after it.
      for (let i = 0; i < 20; i++) {
        const refused = await admit('a', signal).then(
          (permit) => permit.release(),
          (error) => error,
        );
        if (refused !== undefined) return expect(refused.retryAfterMs).toBeGreaterThan(0);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      throw new Error('nothing was refused');
    }, patience);
  });

  test('fastify: a refusal is answered before the body is read, and the permit comes back after the answer', async () => {
    const app = fastify();
    onTestFinished(() => app.close());
    addAdmission(app, admission({ algorithm: one }), ({ headers }) => headers['x-tenant']);
    const { opened, open } = gate();
    app.post('/', async () => {
      await opened;
      return 'done';
    });
    const url = await app.listen({ port: 0, host: '127.0.0.1' });
    const ask = () =>
      fetch(url, { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } });
    const first = ask();
    expectRefusal(await refusal(ask));
    open();
    expect(await (await first).text()).toBe('done');
    await vi.waitFor(async () => expect((await ask()).status).toBe(200), patience);
  });

  test('hono: a refusal has Retry-After, and the permit comes back after the answer', async () => {
    const app = new Hono();
    const { opened, open } = gate();
    app.use(admissionOf(admission({ algorithm: one }), (context) => context.req.header('x-tenant')));
    app.get('/', async (context) => {
      await opened;
      return context.text('done');
    });
    const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' });
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    const ask = () => fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    const first = ask();
    expectRefusal(await refusal(ask));
    open();
    expect(await (await first).text()).toBe('done');
    await vi.waitFor(async () => expect((await ask()).status).toBe(200), patience);
  });

  test('MCP: a refused tools/call is a result that says when to call again', async () => {
    const { opened, open } = gate();
    const client = await mcpClient(admission({ algorithm: one }), opened);
    const call = () => client.callTool({ name: 'slow' });
    const first = call();
    const answers: Awaited<ReturnType<typeof call>>[] = [];
    await vi.waitFor(() => {
      void call().then((answer) => answers.push(answer));
      expect(answers).toContainEqual(
        expect.objectContaining({
          isError: true,
          content: [{ type: 'text', text: expect.stringMatching(/^Busy\. Call again in \d+ s\.$/) }],
        }),
      );
    }, patience);
    open();
    expect((await first).content).toEqual([{ type: 'text', text: 'done' }]);
    await vi.waitFor(async () => expect((await call()).isError).toBeUndefined(), patience);
  });
});

async function mcpClient(admit: Admit, opened: Promise<void>): Promise<Client> {
  const server = new McpServer({ name: 'tools', version: '1' });
  const tool = admittedTool(admit, async () => {
    await opened;
    return { content: [{ type: 'text' as const, text: 'done' }] };
  });
  server.registerTool('slow', {}, (context) => tool(undefined, context));
  const client = new Client({ name: 'agent', version: '1' });
  const [near, far] = InMemoryTransport.createLinkedPair();
  await Promise.all([server.connect(far), client.connect(near)]);
  onTestFinished(() => client.close());
  return client;
}

describe('limited-dispatcher', () => {
  /** A server that counts, an agent with two at a time, and what the limit has learned. */
  async function limitedAgent(handler: Handler) {
    const samples: LimitSample[] = [];
    let most = 0;
    let open = 0;
    const server = await listening((request, response) => {
      most = Math.max(most, ++open);
      response.once('close', () => open--);
      return handler(request, response);
    });
    const limit = new AdaptiveSemaphore({
      algorithm: { limit: 2, onSample: (sample) => samples.push(sample) },
    });
    const agent = new undici.Agent();
    onTestFinished(() => agent.destroy());
    return { ...server, limit, samples, most: () => most, dispatcher: agent.compose(limited(() => limit)) };
  }

  test('request and fetch share the limit, and a 503 is an overload', async () => {
    const { url, dispatcher, most, samples, limit } = await limitedAgent(async (request, response) => {
      await turn();
      response.writeHead(request.url === '/busy' ? 503 : 200).end('done');
    });
    const read = async (path: string) =>
      (await (await undici.request(url + path, { dispatcher })).body.text()) +
      (await (await undici.fetch(url + path, { dispatcher })).text());
    const answers = await Promise.all(['', '', '', 'busy', '', ''].map(read));
    expect(new Set(answers)).toEqual(new Set(['donedone']));
    expect([most(), limit.held]).toEqual([2, 0]);
    expect(samples.filter(({ outcome }) => outcome === 'overload')).toHaveLength(2);
    expect(samples).toHaveLength(12);
  });

  test('a call that is aborted while it waits is never sent, and errors give the permit back', async () => {
    const paths: string[] = [];
    const { url, dispatcher, limit, samples } = await limitedAgent((request, response) => {
      paths.push(request.url!);
      if (request.url === '/reset') request.socket.destroy();
      if (request.url === '/') response.end();
    });
    const holding = new AbortController();
    const held = [1, 2].map(() => undici.request(`${url}never`, { dispatcher, signal: holding.signal }));
    await vi.waitFor(() => expect(paths).toEqual(['/never', '/never']), patience);
    const waiting = new AbortController();
    const aborted = undici.request(`${url}aborted`, { dispatcher, signal: waiting.signal });
    waiting.abort(new Error('changed my mind'));
    await expect(aborted).rejects.toThrow('changed my mind');
    holding.abort();
    expect((await Promise.allSettled(held)).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    await expect(undici.request(`${url}reset`, { dispatcher })).rejects.toThrow();
    await expect(undici.request(url, { dispatcher, method: 'bad method' as 'GET' })).rejects.toThrow();
    await (await undici.request(url, { dispatcher })).body.dump();
    expect(paths).not.toContain('/aborted');
    expect([limit.held, limit.waiting]).toEqual([0, 0]);
    expect(samples.at(-1)?.outcome).toBe('success');
  });
});

describe('hedging', () => {
  const never = () => new Promise<never>(() => {});

  test('a second call overtakes a slow first one, which is aborted', async () => {
    const signals: AbortSignal[] = [];
    const hedge = hedging({ p95Ms: 5 });
    const answer = await hedge((signal) =>
      signals.push(signal) === 1 ? never() : Promise.resolve('second'),
    );
    expect([answer, signals.length, signals[0]!.aborted]).toEqual(['second', 2, true]);
  });

  test('the budget bounds second calls; the naive way doubles the load', async () => {
    let calls = 0;
    const slow = () => {
      calls++;
      return new Promise((resolve) => setTimeout(resolve, 60));
    };
    const hedge = hedging({ p95Ms: 1, budget: new RetryBudget({ ratio: 0.1, minPerSecond: 0 }) });
    await Promise.all(Array.from({ length: 100 }, () => hedge(slow)));
    expect(calls).toBeLessThanOrEqual(111);
    calls = 0;
    await Promise.all(Array.from({ length: 100 }, () => hedged(slow)));
    expect(calls).toBeGreaterThan(150);
  });

  test('a first call that fails is not asked again, and an abort rejects with its reason', async () => {
    const hedge = hedging({ p95Ms: 10_000 });
    let calls = 0;
    const failing = async () => {
      calls++;
      throw new Error('no such page');
    };
    await expect(hedge(failing)).rejects.toThrow('no such page');
    expect(calls).toBe(1);
    const caller = new AbortController();
    const aborted = hedge(never, caller.signal);
    caller.abort(new Error('gone'));
    await expect(aborted).rejects.toThrow('gone');
  });

  test('if both calls fail, it rejects with the first error', async () => {
    const hedge = hedging({ p95Ms: 1 });
    let calls = 0;
    const failing = async () => {
      const call = ++calls;
      await vi.waitFor(() => expect(calls).toBe(2), patience);
      throw new Error(`failure ${call}`);
    };
    await expect(hedge(failing)).rejects.toThrow('failure 1');
  });
});

describe('llm-client', () => {
  const prompt = { text: 'x'.repeat(30), maxTokens: 90 };

  /** A model that uses 20 tokens a call, allows 200 in a window, and says when to come again. */
  function model(windowMs: number) {
    const used: { atMs: number; tokens: number }[] = [];
    const counts = { answered: 0, refused: 0 };
    const take = (tokens: number): boolean => {
      const nowMs = performance.now();
      const inWindow = used.filter(({ atMs }) => atMs > nowMs - windowMs);
      if (inWindow.reduce((sum, each) => sum + each.tokens, tokens) > 200) return false;
      used.push({ atMs: nowMs, tokens });
      return true;
    };
    const post = async () => {
      if (take(20)) {
        counts.answered++;
        await turn();
        return Response.json({ text: 'yes', usage: { total_tokens: 20 } });
      }
      counts.refused++;
      return new Response('slow down', { status: 429, headers: { 'retry-after': '0.05' } });
    };
    return { post, take, counts };
  }

  test('tokens that were not used are given back, and the quota is never exceeded', async () => {
    const windowMs = 100;
    const { post, counts } = model(windowMs);
    const ask = llmClient(post, { tokensPerWindow: 200, windowMs: windowMs + 50 });
    const answers = await Promise.all(Array.from({ length: 30 }, () => ask(prompt)));
    expect(answers.map(({ text }) => text)).toEqual(Array(30).fill('yes'));
    expect(counts).toEqual({ answered: 30, refused: 0 });
  });

  test('after a 429 every call waits, and is sent again', async () => {
    const { post, take, counts } = model(100);
    take(200);
    const ask = llmClient(post, { tokensPerWindow: 200, windowMs: 100 });
    expect((await Promise.all([ask(prompt), ask(prompt)])).map(({ text }) => text)).toEqual(['yes', 'yes']);
    expect(counts.answered).toBe(2);
    expect(counts.refused).toBeGreaterThan(0);
  });

  test('a prompt that is larger than the quota is refused at once', async () => {
    const { post } = model(100);
    const ask = llmClient(post, { tokensPerWindow: 200, windowMs: 100 });
    await expect(ask({ text: '', maxTokens: 201 })).rejects.toThrow(RangeError);
  });
});
