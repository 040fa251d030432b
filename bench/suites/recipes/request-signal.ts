import { once } from 'node:events';
import { Agent, createServer, get, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { requestSignal as naiveSignal } from '../../../docs/recipes/naive/request-signal.js';
import { requestSignal } from '../../../docs/recipes/request-signal.js';
import { elapsedMs } from '../../harness/stopwatch.js';
import type { RecipeCost } from './recipe.js';

const requests = 5_000;

type SignalOf = (request: IncomingMessage, response: ServerResponse) => AbortSignal;

export const requestSignalCost: RecipeCost = {
  name: 'request-signal',
  async measure() {
    process.on('warning', () => {});
    const naive = await served(naiveSignal);
    const recipe = await served(requestSignal);
    const after = `after ${requests.toLocaleString('en-US')} requests over one connection`;
    return [
      { what: `listeners left ${after}`, naive: naive.listeners, recipe: recipe.listeners },
      {
        what: 'answered requests that abort when the client leaves',
        naive: naive.aborted,
        recipe: recipe.aborted,
      },
      { what: 'time for all of them', unit: 'ms', naive: naive.tookMs, recipe: recipe.tookMs },
    ];
  },
};

async function served(signalOf: SignalOf) {
  let [listeners, aborted] = [0, 0];
  const server = createServer((request, response) => {
    const before = request.socket.listenerCount('close');
    signalOf(request, response).addEventListener('abort', () => aborted++);
    listeners += request.socket.listenerCount('close') - before;
    response.end();
  });
  const connected = once(server, 'connection');
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const { port } = server.address() as AddressInfo;
  const tookMs = await elapsedMs(async () => {
    for (let i = 0; i < requests; i++) {
      const [answer] = (await once(get({ port, host: '127.0.0.1', agent }), 'response')) as [IncomingMessage];
      answer.resume();
      await once(answer, 'end');
    }
  });
  const [socket] = (await connected) as [Socket];
  const closed = once(socket, 'close');
  agent.destroy();
  await closed;
  server.close();
  return { listeners, aborted, tookMs };
}
