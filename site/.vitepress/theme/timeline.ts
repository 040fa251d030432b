/**
 * `<Timeline of="hosts" />`: the controls, the button and the lanes of a demonstration. It runs in the reader's browser. The programs
 * and the package are not part of the site's bundle: pages without timelines do not load them.
 */
import { withBase } from 'vitepress';
import { defineComponent, h, onMounted, reactive, ref, shallowRef } from 'vue';
import type { Control, Demo, Result } from '../../timelines/demos.js';
import type * as Live from '../../timelines/live.js';

let loaded: Promise<typeof Live> | undefined;

async function load(): Promise<typeof Live> {
  const live = (await import(/* @vite-ignore */ withBase('/live/site/timelines/live.js'))) as typeof Live;
  const style = document.createElement('style');
  style.textContent = `:root{${live.colours.light}}.dark{${live.colours.dark}}${live.laneStyle}`;
  document.head.append(style);
  return live;
}

export const TimelineDemo = defineComponent({
  props: { of: { type: String, required: true } },
  setup({ of }) {
    const demo = shallowRef<Demo>();
    const values = reactive<Record<string, number>>({});
    const lanes = ref('');
    const results = ref<(Result & { title: string })[]>([]);
    const isRunning = ref(false);
    let live: typeof Live;

    onMounted(async () => {
      loaded ??= load();
      live = await loaded;
      const found: Demo | undefined = live.demos[of as keyof typeof live.demos];
      if (found === undefined) throw new Error(`no timeline is called ${of}`);
      for (const { name, value } of found.controls) values[name] = value;
      demo.value = found;
    });

    async function run({ sides, description, failed }: Demo): Promise<void> {
      isRunning.value = true;
      results.value = [];
      const recorders = sides.map(({ title }) => new live.Recorder(title));
      const draw = () => {
        const timelines = recorders.map((recorder) => recorder.timeline());
        lanes.value = live.picture(timelines, description, failed);
      };
      const frames = setInterval(draw, 100);
      try {
        results.value = await Promise.all(
          sides.map(async ({ title, run }, i) => ({ title, ...(await run(values, recorders[i]!)) })),
        );
      } finally {
        clearInterval(frames);
        draw();
        isRunning.value = false;
      }
    }

    const slider = ({ name, label, min, max, live = false }: Control) =>
      h('label', { key: name }, [
        h('span', [`${label}: `, h('strong', values[name])]),
        h('input', {
          type: 'range',
          name,
          min,
          max,
          value: values[name],
          disabled: isRunning.value && !live,
          onInput: (event: Event) => {
            values[name] = Number((event.target as HTMLInputElement).value);
          },
        }),
      ]);

    const controls = (shown: Demo) =>
      h('div', { class: 'timeline-controls' }, [
        ...shown.controls.map(slider),
        h(
          'button',
          { type: 'button', disabled: isRunning.value, onClick: () => run(shown) },
          isRunning.value ? 'Running' : 'Run',
        ),
      ]);

    const result = ({ title, sentence, printed }: Result & { title: string }) =>
      h('li', [
        h('p', [h('strong', title), `: ${sentence}.`]),
        printed === undefined ? undefined : h('pre', printed),
      ]);

    return () =>
      h('div', { class: 'timeline', 'data-of': of }, [
        demo.value === undefined ? h('p', 'Loading the programs.') : controls(demo.value),
        h('div', { class: 'timeline-picture', innerHTML: lanes.value }),
        h('ul', { 'aria-live': 'polite' }, results.value.map(result)),
      ]);
  },
});
