import type { Suite } from '../../harness/subjects.js';
import { HandshakeServer } from '../../servers/handshake-server.js';
import { flapping, hostsGoDark } from './bad-hosts.js';
import { exclusiveHost, spike } from './busy-host.js';
import { moreHostsThanConnections, oneRequestPerHost, sharedColdHost } from './cold-start.js';
import {
  clockAlone,
  idleConnection,
  tenThousandWaiters,
  thousandCallers,
  validatedConnection,
} from './hot-path.js';
import { loadRamp } from './load-ramp.js';
import { coldBesideHot, manyKeys } from './many-keys.js';
import { outage } from './outage.js';

export const connectionPool: Suite = {
  name: 'connection-pool',
  async run(measure) {
    const server = await HandshakeServer.start(100);
    try {
      await measure(oneRequestPerHost(server, 10));
      await measure(oneRequestPerHost(server, 100));
      await measure(moreHostsThanConnections(server, 0));
      await measure(moreHostsThanConnections(server, 5));
      await measure(sharedColdHost(server));
      await measure(exclusiveHost(server));
      await measure(spike(server));
      await measure(idleConnection);
      await measure(clockAlone);
      await measure(validatedConnection);
      await measure(thousandCallers);
      await measure(tenThousandWaiters);
      await measure(outage(server));
      await measure(coldBesideHot);
      await measure(manyKeys(2_000));
      await measure(manyKeys(10_000));
      await measure(hostsGoDark(server));
      await measure(flapping(server));
      await measure(loadRamp(server));
    } finally {
      server.stop();
    }
  },
};
