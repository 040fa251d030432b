/**
 * `npm run bench [-- filter ...]`: runs the suites, prints their tables and keeps them in bench/results. `--help` lists the
 * suites and the options (`harness/usage.ts`). A report shows the last run on Node 24 beside its own.
 */
import { check, updateBudgets } from './harness/check.js';
import { olderMajor, onWantedNode, wantedMajor } from './harness/node-version.js';
import { writePage } from './harness/page/page.js';
import { printTable, printTargets } from './harness/report.js';
import {
  lastRun,
  type Machine,
  type Result,
  type Run,
  resultsFile,
  thisMachine,
  writeRun,
} from './harness/results.js';
import { runSuite } from './harness/suite-process.js';
import { Progress } from './harness/terminal.js';
import { checkOptions, usage } from './harness/usage.js';
import { isReported, isWanted, suites } from './suites.js';

const words = process.argv.slice(2);
const flags = Object.fromEntries(
  words.flatMap((word) => {
    const [, name, value] = /^--([^=]+)(?:=(.*))?$/.exec(word) ?? [];
    return name === undefined ? [] : [[name, value ?? '']];
  }),
);
const filters = words.filter((word) => !word.startsWith('--')).map((filter) => filter.toLowerCase());
const wholly = filters.length === 0 && (flags['report'] !== undefined || flags['check'] !== undefined);
const wanted = suites.filter(wholly ? isReported : (suite) => isWanted(suite, filters));

if (flags['help'] !== undefined) {
  console.log(usage(suites));
  process.exit();
}
try {
  checkOptions(words.filter((word) => word.startsWith('-')));
} catch (error) {
  console.error((error as Error).message);
  process.exit(1);
}
const older = await lastRun(olderMajor).catch(() => undefined);
if (flags['report'] !== undefined && older === undefined) {
  const command = `npm run bench -- --node=${olderMajor} mutex keyed-mutex semaphore gather-settled retry connection-pool`;
  console.error(`The pages show Node ${olderMajor} as well. First measure that: \`${command}\`.`);
  process.exit(1);
}
const exitCode = await onWantedNode(wantedMajor(flags));
if (exitCode !== undefined) process.exit(exitCode);
if (flags['report'] === 'latest') await writePage(await lastRun(process.version), older!);
else if (flags['check'] === undefined || flags['check'] === 'targets') await bench();
else if (flags['update'] !== undefined) await updateBudgets({ suites: wanted, filters, flags });
else if (!(await check({ suites: wanted, filters, flags }))) process.exitCode = 1;

async function bench(): Promise<void> {
  const startedMs = performance.now();
  const machine = thisMachine();
  const { commit, node, cores, date } = machine;
  console.log(`latchkey ${commit}, Node ${node} ${machine.flags.join(' ')}, ${cores} cores, ${date}`);
  console.log('Times are medians, ± half the quartile distance. Compare ratios, not times.');
  const results: Result[] = [];
  const withTargets = flags['check'] === 'targets';
  const progress = new Progress();
  for (const [i, { name: suite, nodeFlags }] of wanted.entries()) {
    const show = () => progress.show(`measuring ${suite}, suite ${i + 1} of ${wanted.length}`);
    show();
    await runSuite({ suite, nodeFlags, filters, flags }, (result) => {
      results.push(result);
      progress.clear();
      printTable(result, { withTargets });
      show();
    });
    progress.clear();
  }
  if (results.length === 0 && wanted.some(({ printsItself }) => printsItself)) return;
  if (results.length === 0) return nothingIsCalledSo();
  if (withTargets && !printTargets(results)) process.exitCode = 1;
  const run: Run = { ...machine, results: [...(await earlierResults(machine, results)), ...results] };
  await writeRun(run);
  console.log(`\n${Math.round((performance.now() - startedMs) / 1_000)} s; ${resultsFile(node)}`);
  if (flags['report'] !== undefined) await writePage(run, older!);
}

/** With `--add`: the tables of other suites in the last run, if that was on the same Node. */
async function earlierResults({ node }: Machine, results: readonly Result[]): Promise<readonly Result[]> {
  if (flags['add'] === undefined) return [];
  const last = await lastRun(node).catch(() => undefined);
  if (last?.node !== node) return [];
  return last.results.filter(({ suite }) => !results.some((result) => result.suite === suite));
}

function nothingIsCalledSo(): void {
  const names = suites.map(({ name }) => name).join(', ');
  console.error(
    `Nothing is called ${filters.join(' or ')}. There are ${names}, and words of a table's title.`,
  );
  process.exitCode = 1;
}
