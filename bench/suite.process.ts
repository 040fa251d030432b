/** The other end of suite-process.ts: waits for its order, measures one table, and sends it. */
import { hasSubscribers } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { channelNames } from 'latchkey/diagnostics';
import { measure } from './harness/measure.js';
import type { Result } from './harness/results.js';
import type { Case } from './harness/subjects.js';
import type { Answer, Order } from './harness/suite-process.js';
import { isWantedTable, suites } from './suites.js';

const [order] = (await once(process, 'message')) as [Order];
const suite = suites.find(({ name }) => name === order.suite)!;
for (const name of Object.values(channelNames)) {
  // A suite that listens when it is loaded would slow every row of all suites.
  if ([name, `tracing:${name}:start`].some(hasSubscribers)) throw new Error(`${name} has a listener already`);
}
let tables = 0;
let result: Result | undefined;
await suite.run(async (table) => {
  if (!isWantedTable(suite, table.title, order.filters)) return;
  if (order.againstFloorOnly === true && !hasBudgets(table)) return;
  if (tables++ !== order.table) return;
  result = await measured(order.againstFloorOnly === true ? withoutOthers(table) : table);
}, order.flags);
const answer: Answer = { tables, ...(result && { result }) };
await new Promise((resolve) => process.send!(answer, resolve));
// Some pools cannot be closed, and would keep the process alive.
process.exit();

async function measured(table: Case): Promise<Result> {
  const { title, shows, unit, time, countsOnly, sizes } = table;
  const rows = await measure(table);
  const head = { title, shows, ...(unit && { unit }), ...(time && { time }), ...(sizes && { sizes }) };
  return { suite: suite.name, ...head, ...(countsOnly && { countsOnly }), rows };
}

function hasBudgets({ countsOnly, subjects }: Case): boolean {
  return countsOnly !== true && subjects.some(({ role }) => role === 'floor');
}

function withoutOthers(table: Case): Case {
  const ours = table.subjects.filter(({ role }) => role === 'floor' || role === 'latchkey');
  return { ...table, subjects: ours.map((subject) => ({ ...subject, targets: [] })) };
}
