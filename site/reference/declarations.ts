/**
 * Reads the built declarations: which entries the package has, what each exports, and the text and docstring of each
 * declaration. The API reference and the reviewed report of the API are made from it.
 *
 * Not a parser of TypeScript: it relies on how the compiler prints declarations, one statement after the other, each of
 * them beginning and ending at the left margin.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';

export interface Statement {
  readonly name: string;
  /** The docstring above it, or ''. */
  readonly doc: string;
  /** The declaration, with the docstrings of its members. */
  readonly text: string;
}

export interface Module {
  readonly statements: readonly Statement[];
  /** What it takes from other files, and what it hands on: by the name it has here. */
  readonly links: ReadonlyMap<string, Found>;
  readonly exports: readonly string[];
}

/** Where a declaration stands. */
export interface Found {
  readonly file: string;
  readonly name: string;
}

/** The entries of the package, each with the file of its declarations. */
export async function entriesOf(root: string): Promise<[entry: string, file: string][]> {
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
export async function origin(found: Found): Promise<Found> {
  const link = (await readModule(found.file)).links.get(found.name);
  return link === undefined ? found : origin(link);
}

/** The declaration, with all of its overloads. */
export async function statementsOf({ file, name }: Found): Promise<Statement[]> {
  const found = (await readModule(file)).statements.filter((statement) => statement.name === name);
  if (found.length === 0) throw new Error(`${file} does not declare ${name}`);
  return found;
}

const modules = new Map<string, Promise<Module>>();

export function readModule(file: string): Promise<Module> {
  const known = modules.get(file);
  if (known !== undefined) return known;
  const module = readFile(file, 'utf8').then((source) => parse(file, source));
  modules.set(file, module);
  return module;
}

/** A declaration without the docstrings of its members. */
export function withoutDocs(text: string): string {
  return text.replaceAll(/^\s*\/\*\*.*?\*\/\n/gms, '');
}

function parse(file: string, source: string): Module {
  const statements: Statement[] = [];
  const links = new Map<string, Found>();
  const exports: string[] = [];
  for (const { doc, text } of statementsIn(source)) {
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
    statements.push({ name, doc, text: text.replace(/^export /, '').replace(/^declare /, '') });
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

function statementsIn(source: string): { doc: string; text: string }[] {
  const statements: { doc: string; text: string }[] = [];
  let doc = '';
  let open: string[] = [];
  let isComment = false;
  for (const line of source.split('\n')) {
    const begins = !isComment && /^\s*\/\*\*/.test(line);
    if (begins && open.length === 0) doc = '';
    if (begins || isComment) {
      isComment = !line.includes('*/');
      if (open.length === 0) doc += `${line}\n`;
      else open.push(line);
      continue;
    }
    if (line === '' || line === 'export {};' || line.startsWith('//')) continue;
    // A union goes on after a comment between two of its members.
    if (open.length === 0 && line.startsWith(' ')) {
      const begun = statements.pop();
      open = [begun?.text ?? '', ...doc.trimEnd().split('\n')];
      doc = begun?.doc ?? '';
    }
    open.push(line);
    if (!/^( \||\S).*[;}]$|^}$/.test(line)) continue;
    statements.push({ doc, text: open.join('\n') });
    open = [];
    doc = '';
  }
  return statements;
}
