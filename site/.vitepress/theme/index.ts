/** The looks of the site: VitePress's own, without fonts to download, and the timelines. */
import type { Theme } from 'vitepress';
import DefaultTheme from 'vitepress/theme-without-fonts';
import { TimelineDemo } from './timeline.js';
import './timeline.css';

export default {
  extends: DefaultTheme,
  enhanceApp({ app }) {
    app.component('Timeline', TimelineDemo);
  },
} satisfies Theme;
