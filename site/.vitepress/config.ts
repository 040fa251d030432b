/** What VitePress needs to know. The pages and the sidebar are made by `site/build.ts`. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type DefaultTheme, defineConfig } from 'vitepress';

const root = fileURLToPath(new URL('../..', import.meta.url));
const settings = JSON.parse(readFileSync(path.join(root, '.site/settings.json'), 'utf8')) as {
  title: string;
  description: string;
  codeHost: string;
  sidebar: DefaultTheme.SidebarItem[];
};

export default defineConfig({
  lang: 'en',
  title: settings.title,
  description: settings.description,
  // GitHub Pages serves a project below its name.
  base: process.env['SITE_BASE'] ?? '/',
  srcDir: '../.site/pages',
  outDir: path.join(root, '.site/html'),
  cacheDir: path.join(root, '.site/cache'),
  cleanUrls: false,
  // esbuild cannot rewrite the destructurings of the theme for browsers that VitePress supports by default.
  vite: {
    build: { target: 'es2022' },
  },
  themeConfig: {
    sidebar: settings.sidebar,
    outline: [2, 3],
    search: { provider: 'local' },
    nav: [
      { text: 'Getting started', link: '/getting-started' },
      { text: 'Find your problem', link: '/problems' },
      { text: 'Timelines', link: '/timelines' },
      { text: 'Benchmarks', link: '/benchmarks' },
      { text: 'API', link: '/api/latchkey' },
      { text: 'Source', link: settings.codeHost },
    ],
  },
});
