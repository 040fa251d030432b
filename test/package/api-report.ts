/**
 * The public API as one text that can be reviewed like code: for each entry of the package its exports, as the built
 * declarations have them, without comments; last, what they mention and nobody can import.
 */
import {
  entriesOf,
  type Found,
  origin,
  readModule,
  statementsOf,
  withoutDocs,
} from '../../site/reference/declarations.js';

/** The names that each entry exports, types among them. */
export async function exportedNames(root: string): Promise<Map<string, string[]>> {
  const names = new Map<string, string[]>();
  for (const [entry, file] of await entriesOf(root))
    names.set(entry, (await readModule(file)).exports.toSorted());
  return names;
}

export interface Documented {
  readonly entry: string;
  readonly name: string;
  /** `class`, `function` or `interface`. */
  readonly kind: string;
  /** Its docstring, or ''. */
  readonly doc: string;
}

/** The classes, functions and interfaces that can be imported, each once, with the docstring of its declaration. */
export async function exportedDocs(root: string): Promise<Documented[]> {
  const documented = new Map<string, Documented>();
  for (const [entry, file] of await entriesOf(root)) {
    for (const name of (await readModule(file)).exports) {
      const found = await origin({ file, name });
      const [first] = await statementsOf(found);
      const kind = /^(?:abstract )?(class|function|interface) /.exec(first?.text ?? '')?.[1];
      if (kind === undefined || documented.has(idOf(found))) continue;
      documented.set(idOf(found), { entry, name, kind, doc: first?.doc ?? '' });
    }
  }
  return [...documented.values()];
}

export async function apiReport(root: string): Promise<string> {
  const shown = new Set<string>();
  const sections: string[] = [];
  const entries = await entriesOf(root);
  const asked: Found[] = [];
  for (const [entry, file] of entries) {
    const { exports } = await readModule(file);
    const found = await Promise.all(exports.toSorted().map((name) => origin({ file, name })));
    for (const each of found) shown.add(idOf(each));
    asked.push(...found);
    sections.push(section(entry, await Promise.all(found.map(textOf))));
  }
  const hidden = await mentioned(asked, shown);
  if (hidden.length > 0)
    sections.push(section('mentioned, and not exported', await Promise.all(hidden.map(textOf))));
  return `# API\n\nMade from the built declarations: \`npm run build && UPDATE_API=1 npx vitest run test/package/api.test.ts\`.\n\n${sections.join('\n')}`;
}

function section(title: string, texts: string[]): string {
  return `## ${title}\n\n\`\`\`ts\n${texts.join('\n\n')}\n\`\`\`\n`;
}

/** What the declarations mention, directly or not. */
async function mentioned(asked: Found[], shown: Set<string>): Promise<Found[]> {
  const hidden: Found[] = [];
  for (const from of asked) {
    for (const word of new Set((await textOf(from)).match(/[A-Za-z_$][\w$]*/g))) {
      const { statements, links } = await readModule(from.file);
      if (!links.has(word) && !statements.some(({ name }) => name === word)) continue;
      const found = await origin({ file: from.file, name: word });
      // The name of a parameter may be that of a function by chance; only types are mentioned in types.
      if (shown.has(idOf(found)) || (await textOf(found)).startsWith('function')) continue;
      shown.add(idOf(found));
      hidden.push(found);
      asked.push(found);
    }
  }
  return hidden.sort((one, other) => one.name.localeCompare(other.name, 'en'));
}

/** All of its overloads. */
async function textOf(found: Found): Promise<string> {
  return (await statementsOf(found)).map(({ text }) => withoutDocs(text)).join('\n');
}

function idOf({ file, name }: Found): string {
  return `${file}#${name}`;
}
