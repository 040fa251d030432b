/**
 * The public API as one text that can be reviewed like code: for each entry of the package its exports, as the built
 * declarations have them, without comments; last, what they mention and nobody can import.
 *
 * Not a parser of TypeScript: it relies on how the compiler prints declarations, one statement after the other, each of
 * them beginning and ending at the left margin.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';

interface Statement {
  readonly name: string;
  readonly text: string;
}

interface Module {
  readonly statements: readonly Statement[];
  /** What it takes from other files, and what it hands on: by the name it has here. */
  readonly links: ReadonlyMap<string, { readonly file: string; readonly name: string }>;
  readonly exports: readonly string[];
}

interface Found {
  readonly file: string;
  readonly name: string;
}

/** The names that each entry exports, types among them. */
export async function exportedNames(root: string): Promise<Map<string, string[]>> {
  const names = new Map<string, string[]>();
  for (const [entry, file] of await entriesOf(root)) names.set(entry, (await read(file)).exports.toSorted());
  return names;
}

export interface Documented {
  readonly entry: string;
  readonly name: string;
  /** Its docstring, or ''. */
  readonly doc: string;
}

/** The classes and functions that can be imported, each once, with the docstring that the declarations carry. */
export async function exportedDocs(root: string): Promise<Documented[]> {
  const documented = new Map<string, Documented>();
  for (const [entry, file] of await entriesOf(root)) {
    for (const name of (await read(file)).exports) {
      const found = await origin({ file, name });
      const source = await readFile(found.file, 'utf8');
      const declaration = new RegExp(
        `(/\\*\\*(?:(?!\\*/)[^])*\\*/\\n)?export declare (?:abstract )?(?:class|function) ${found.name}\\b`,
      ).exec(source);
      if (declaration === null || documented.has(idOf(found))) continue;
      documented.set(idOf(found), { entry, name, doc: declaration[1] ?? '' });
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
    const { exports } = await read(file);
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
      const { statements, links } = await read(from.file);
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

async function entriesOf(root: string): Promise<[entry: string, file: string][]> {
  const manifest = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8')) as {
    exports: Record<string, string | { default: string }>;
  };
  return Object.entries(manifest.exports).flatMap(([entry, target]) =>
    typeof target === 'string'
      ? []
      : [[entry.replace('.', 'latchkey'), path.join(root, target.default.replace(/\.js$/, '.d.ts'))]],
  );
}

/** Where the declaration itself stands. */
async function origin(found: Found): Promise<Found> {
  const link = (await read(found.file)).links.get(found.name);
  return link === undefined ? found : origin(link);
}

/** All of its overloads. */
async function textOf({ file, name }: Found): Promise<string> {
  const { statements } = await read(file);
  const texts = statements.filter((statement) => statement.name === name).map(({ text }) => text);
  if (texts.length === 0) throw new Error(`${file} does not declare ${name}`);
  return texts.join('\n');
}

function idOf({ file, name }: Found): string {
  return `${file}#${name}`;
}

const modules = new Map<string, Promise<Module>>();

function read(file: string): Promise<Module> {
  const known = modules.get(file);
  if (known !== undefined) return known;
  const module = readFile(file, 'utf8').then((source) => parse(file, source));
  modules.set(file, module);
  return module;
}

function parse(file: string, source: string): Module {
  const statements: Statement[] = [];
  const links = new Map<string, Found>();
  const exports: string[] = [];
  for (const text of statementsIn(source)) {
    const link = /^(import|export) (?:type )?\{([^}]*)\}(?: from '(.*)\.js')?;$/s.exec(text);
    if (link !== null) {
      const [, keyword, list = '', specifier] = link;
      for (const { name, as } of namesIn(list)) {
        if (keyword === 'export') exports.push(as);
        if (specifier !== undefined)
          links.set(as, { file: path.join(path.dirname(file), `${specifier}.d.ts`), name });
      }
      continue;
    }
    const declared =
      /^(export )?(?:declare )?(?:abstract )?(?:class|interface|type|function|const) ([\w$]+)/.exec(text);
    if (declared === null) throw new Error(`${file}: what is this?\n${text}`);
    const [, isExported, name = ''] = declared;
    if (isExported !== undefined && !exports.includes(name)) exports.push(name);
    statements.push({ name, text: text.replace(/^export /, '').replace(/^declare /, '') });
  }
  return { statements, links, exports };
}

function namesIn(list: string): { name: string; as: string }[] {
  return list
    .split(',')
    .map((item) => item.trim().replace(/^type /, ''))
    .filter((item) => item !== '')
    .map((item) => {
      const [name = '', as = name] = item.split(' as ');
      return { name, as };
    });
}

function statementsIn(source: string): string[] {
  const lines = source.replaceAll(/^\s*\/\*\*.*?\*\/\n/gms, '').split('\n');
  const statements: string[] = [];
  let open: string[] = [];
  for (const line of lines) {
    if (line === '' || line === 'export {};' || line.startsWith('//')) continue;
    // A union goes on after a comment between two of its members.
    if (open.length === 0 && line.startsWith(' ')) open = [statements.pop() ?? ''];
    open.push(line);
    if (!/^( \||\S).*[;}]$|^}$/.test(line)) continue;
    statements.push(open.join('\n'));
    open = [];
  }
  return statements;
}
