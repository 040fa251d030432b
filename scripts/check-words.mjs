/**
 * Part of `npm run check`: words that readers stumble over, in sources, tests, benches and pages. They are old, or mean
 * something else to many readers, or make a person of a caller.
 */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Each with what to write instead. */
const words = [
  [/\blest\b/i, 'so that … not'],
  [/\bdear(?:er|est)?\b/i, 'expensive, costly'],
  [/\bwhoever\b/i, 'name the subject: caller, waiter, holder, task'],
  [/\banew\b/i, 'again'],
  [/\b(?:he|his|him|himself)\b/i, 'it, they, or name the subject'],
  [/\btold of\b/i, 'reports, publishes, is called with'],
  [/\bfor nothing\b/i, 'at no extra cost, or: in vain'],
  [/\ball the same\b/i, 'still, anyway'],
  [/\bbut for\b/i, 'except'],
  [/\bthose who\b/i, 'name the subject: callers, waiters'],
  [/\bwho waits\b/i, 'that waits, or: the waiter'],
  [/\bwho (?:wait|asks?|(?:gave|gives?) up|timed? out)\b/i, 'that ..., or: the waiter, the caller'],
  [/\b(?:is|are|was|were|be|been|being|not) told\b/i, 'reports, calls, rejects with; gets, learns'],
  [/\bso many\b/i, 'the number, or: that many'],
  [/\bnobody['’]s\b/i, 'name the subject'],
  [/\bfreak\b/i, 'outlier'],
];

const folders = ['src', 'test', 'bench', 'docs', 'site', 'scripts', '.github'];
const ignored = /(?:^|\/)(?:node_modules|\.dist|results)(?:\/|$)/;

/** Where a word is right: a file, and a part of the line. */
const allowed = [
  // The words themselves.
  ['scripts/check-words.mjs', ''],
];

async function files() {
  const names = (await readdir(root)).filter((name) => name.endsWith('.md'));
  for (const folder of folders) {
    const below = await readdir(path.join(root, folder), { recursive: true });
    names.push(...below.map((name) => path.posix.join(folder, name)));
  }
  return names.filter((name) => /\.(?:ts|mjs|js|md|yml)$/.test(name) && !ignored.test(name)).sort();
}

const faults = [];
for (const file of await files()) {
  const lines = (await readFile(path.join(root, file), 'utf8')).split('\n');
  for (const [index, line] of lines.entries()) {
    if (allowed.some(([where, part]) => where === file && line.includes(part))) continue;
    for (const [word, instead] of words) {
      const found = word.exec(line);
      if (found !== null) faults.push(`${file}:${index + 1}: "${found[0]}" (write: ${instead})`);
    }
  }
}
for (const fault of faults) console.error(fault);
if (faults.length > 0) process.exitCode = 1;
