/**
 * On demand: the lanes of ten hosts on real sockets, as the site draws them in a browser. `--picture` writes the picture of
 * README.
 */
import { writeFile } from 'node:fs/promises';
import { allAtOnce, oneAfterTheOther } from '../../../site/timelines/deadlock.js';
import { type Hosts, throughConnectionPool, throughOneLock } from '../../../site/timelines/hosts.js';
import { Recorder, type Timeline } from '../../../site/timelines/lanes.js';
import { boundedPool, lookTwice } from '../../../site/timelines/one-host.js';
import { picture, standalone } from '../../../site/timelines/picture.js';
import { textLanes } from '../../../site/timelines/text.js';
import type { Suite } from '../../harness/subjects.js';
import { Connection } from '../../servers/handshake-client.js';
import { HandshakeServer } from '../../servers/handshake-server.js';

const handshakeMs = 100;
const connectTimeoutMs = 1_000;
const description = `One request to each of ten hosts at once. To connect takes ${handshakeMs} ms.`;

export const timelines: Suite = {
  name: 'timelines',
  onDemand: true,
  printsItself: true,
  async run(_, flags) {
    const server = await HandshakeServer.start(10);
    try {
      const healthy = await bothPools(server, 0);
      console.log(`\n${description}\n\n${textLanes(healthy)}`);
      const withDead = await bothPools(server, 1);
      console.log(`\nThe same, and host 0 never answers.\n\n${textLanes(withDead)}`);
      const ofOneHost = await requestsToOneHost(server);
      console.log(
        `\n30 requests to one host at once, ten of them at a time on one connection.\n\n${textLanes(ofOneHost)}`,
      );
      console.log(`\nTwo transfers between two accounts, in opposite directions.\n\n${await deadlock()}`);
      if (flags['picture'] === undefined) return;
      await writeFile('docs/images/timelines.svg', standalone(picture(healthy, description)));
      console.log('\ndocs/images/timelines.svg');
    } finally {
      server.stop();
    }
  },
};

async function bothPools(server: HandshakeServer, darkHosts: number): Promise<Timeline[]> {
  const shown: Timeline[] = [];
  for (const { title, program } of [
    { title: 'One lock, held while connecting', program: throughOneLock<Connection> },
    { title: 'ConnectionPool', program: throughConnectionPool<Connection> },
  ]) {
    await server.begin({ handshakeMs, darkHosts });
    const recorder = new Recorder(title);
    await program(hostsOf(server), recorder);
    shown.push(recorder.timeline());
  }
  return shown;
}

async function requestsToOneHost(server: HandshakeServer): Promise<Timeline[]> {
  const shown: Timeline[] = [];
  for (const { title, program } of [
    { title: 'Look, connect, look again', program: lookTwice<Connection> },
    { title: 'ConnectionPool', program: boundedPool<Connection> },
  ]) {
    await server.begin({ handshakeMs });
    const recorder = new Recorder(title);
    const [port = 0] = server.hosts;
    await program(
      {
        requests: 30,
        max: 10,
        leasesPerConnection: 10,
        connect: () => Connection.open(port),
        request: (connection) => connection.request(20),
        close: (connection) => connection.close(),
      },
      recorder,
    );
    shown.push(recorder.timeline());
  }
  return shown;
}

async function deadlock(): Promise<string> {
  const recorders = ['One account locked after the other', 'runAll'].map((title) => new Recorder(title));
  const [nested, together] = recorders;
  const { tree } = await oneAfterTheOther({ queryMs: 20 }, nested!);
  await allAtOnce({ queryMs: 20 }, together!);
  return `${textLanes(recorders.map((recorder) => recorder.timeline()))}\n\n${tree}`;
}

function hostsOf(server: HandshakeServer): Hosts<Connection> {
  const ports = new Map(server.hosts.map((port, i) => [`host ${i}`, port]));
  return {
    names: [...ports.keys()],
    max: 50,
    connectTimeoutMs,
    connect: (name) => Connection.open(ports.get(name)!, AbortSignal.timeout(connectTimeoutMs)),
    request: (connection) => connection.request(20),
    close: (connection) => connection.close(),
  };
}
