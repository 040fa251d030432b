/** The cost of the check for subscribers: the package compared with a copy from which the check was cut out. */
import { subscribe, tracingChannel } from 'node:diagnostics_channel';
import { channelNames } from 'latchkey/diagnostics';
import {
  type CutOut,
  cutOutCase,
  type MakeSubject,
  mutexCrowd,
  type Packages,
  withPackages,
} from '../../harness/cut-out.js';
import { operation } from '../../harness/stopwatch.js';
import type { Case, Suite, Target } from '../../harness/subjects.js';
import { atMost } from '../../harness/targets.js';

/** Constants, so that the minifier removes the code that only listeners need. */
const withoutChannels: CutOut = {
  file: /src.runtime.channels\.ts$/,
  contents: () => `const start = { hasSubscribers: false };
    const channel = { hasSubscribers: false, start };
    export const tracingChannel = () => channel, exposed = (message) => message;
    export { tracingChannel as channel };`,
};

const lease: MakeSubject = ({ ConnectionPool }, description) => {
  const pool = new ConnectionPool({ connect: () => ({}), close() {} });
  return operation(
    description,
    () => pool.acquire(),
    (granted) => granted.release(),
  );
};

const works = [
  ['1,000 callers at once for one mutex', mutexCrowd],
  ['acquire and release of an idle connection', lease],
] as const;

interface Audience {
  readonly name: string;
  readonly shows: string;
  readonly targets: readonly Target[];
}

const nobody: Audience = {
  name: 'nobody listens',
  shows: 'The cost of the check for subscribers.',
  targets: [atMost(1.1, 'floor')],
};
const oneListener: Audience = {
  name: 'one listener',
  shows: 'The cost of messages whose subscriber does nothing.',
  targets: [],
};

function tablesBefore({ name, shows, targets }: Audience, packages: Packages): Case[] {
  return works.map(([work, makeSubject]) =>
    cutOutCase(packages, makeSubject, {
      title: `Diagnostics: ${work}, ${name}`,
      shows,
      floor: 'without channels',
      targets,
    }),
  );
}

function listen(): void {
  const handle = () => {};
  const all = { start: handle, end: handle, asyncStart: handle, asyncEnd: handle, error: handle };
  for (const name of [channelNames.wait, channelNames.poolAcquire]) tracingChannel(name).subscribe(all);
  subscribe(channelNames.poolRelease, handle);
}

export const diagnostics: Suite = {
  name: 'diagnostics',
  run: (measure) =>
    withPackages(withoutChannels, async (packages) => {
      for (const table of tablesBefore(nobody, packages)) await measure(table);
      // After the first listener, the check stays slower. So these run last.
      listen();
      for (const table of tablesBefore(oneListener, packages)) await measure(table);
    }),
};
