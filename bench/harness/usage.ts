/** What `npm run bench` accepts: the text of `--help`, and the refusal of an option that does not exist. */
import type { Suite } from './subjects.js';

/** Of each option: how it is written, and what it does. */
const options: readonly [written: string, does: string][] = [
  ['--help', 'prints this'],
  ['--check', 'compares our rows with bench/budgets.json, and fails if one is slower'],
  ['--check=targets', 'measures whole tables with their targets, and fails if one is missed'],
  ['--update', 'with --check: writes bench/budgets.json'],
  [
    '--report',
    'writes docs/benchmarks.md, its pictures, and every figure that a page repeats; needs a run with --node=24',
  ],
  ['--report=latest', 'the same from the last run, without measuring'],
  ['--add', 'keeps the tables of other suites in the last run'],
  ['--node=24', 'runs on that major of Node instead of the one of the docs, which is fetched once'],
];
const optionsOfSuites: readonly [written: string, does: string][] = [
  ['--recipe=NAME', 'recipes: one of them'],
  ['--varies', "overload: the tasks' durations vary"],
  ['--way=NAME', 'overload-http: one way to wait'],
  ['--scenarios=ID,ID', 'adaptive: these scenarios'],
  ['--laws=NAME,NAME', 'adaptive: these laws'],
  ['--seeds=N', 'adaptive: runs of each scenario, 3 by default'],
  ['--zoom=S-S', 'adaptive: the seconds that the picture shows'],
  ['--law=NAME', 'adaptive-hang, adaptive-fleet: one law'],
  ['--hang=S', 'adaptive-hang: the length of the hang in seconds; 1, 4 and 8 by default'],
  ['--runs=N', 'adaptive-hang: runs of each, 3 by default'],
  ['--processes=N', 'adaptive-fleet: its processes, 4 by default; with --check: processes per suite'],
  ['--seconds=S', 'adaptive-fleet: how long it runs, 25 by default'],
  ['--picture', 'timelines: writes its picture'],
];

export function usage(suites: readonly Suite[]): string {
  const names = (onDemand: boolean) =>
    suites.filter((suite) => (suite.onDemand === true) === onDemand).map(({ name }) => name);
  return [
    'npm run bench -- [FILTER...] [--OPTION[=VALUE]...]',
    '',
    'Runs suites and prints their tables, which are kept in bench/results. A filter is part of the name of a suite (pool),',
    'or a word of the title of a table (B3). Without a filter, the suites of the first list run.',
    '',
    'Suites:',
    ...lines(names(false)),
    'Suites that run only if a filter names them:',
    ...lines(names(true)),
    '',
    'Options:',
    ...table(options),
    'Options of single suites:',
    ...table(optionsOfSuites),
  ].join('\n');
}

/**
 * Options, as they stand on the command line.
 * @throws RangeError that names one that does not exist.
 */
export function checkOptions(given: readonly string[]): void {
  const names = given.map(nameOf);
  const known = new Set([...options, ...optionsOfSuites].map(([written]) => nameOf(written)));
  const unknown = names.find((name) => !known.has(name));
  if (unknown === undefined) return;
  throw new RangeError(`There is no option ${unknown}. \`npm run bench -- --help\` prints all options.`);
}

function nameOf(option: string): string {
  return option.replace(/=.*$/s, '');
}

/** Names, as many in a line as fit. */
function lines(names: readonly string[]): string[] {
  return names
    .join(', ')
    .match(/.{1,100}(?:,|$)/g)!
    .map((line) => `  ${line.trim()}`);
}

function table(rows: readonly [string, string][]): string[] {
  return rows.map(([written, does]) => `  ${written.padEnd(20)}${does}`);
}
