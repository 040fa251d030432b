/** `<Timeline of="hosts" />`: the controls, the button and the lanes of a demonstration. It runs in the reader's browser. */
import { defineComponent, h, reactive, ref } from 'vue';
import { type Demo, demos } from '../../timelines/demos.js';
import { Recorder } from '../../timelines/lanes.js';
import { picture } from '../../timelines/picture.js';

export const TimelineDemo = defineComponent({
  props: { of: { type: String, required: true } },
  setup({ of }) {
    const demo: Demo | undefined = demos[of as keyof typeof demos];
    if (demo === undefined) throw new Error(`no timeline is called ${of}`);
    const values = reactive(Object.fromEntries(demo.controls.map(({ name, value }) => [name, value])));
    const lanes = ref('');
    const results = ref<string[]>([]);
    const isRunning = ref(false);

    async function run(): Promise<void> {
      isRunning.value = true;
      results.value = [];
      const recorders = demo!.sides.map(({ title }) => new Recorder(title));
      const draw = () => {
        const timelines = recorders.map((recorder) => recorder.timeline());
        lanes.value = picture(timelines, demo!.description);
      };
      const frames = setInterval(draw, 40);
      const chosen = { ...values };
      try {
        results.value = await Promise.all(
          demo!.sides.map(async ({ title, run }, i) => `${title}: ${await run(chosen, recorders[i]!)}.`),
        );
      } finally {
        clearInterval(frames);
        draw();
        isRunning.value = false;
      }
    }

    const slider = ({ name, label, min, max }: Demo['controls'][number]) =>
      h('label', { key: name }, [
        `${label}: ${values[name]}`,
        h('input', {
          type: 'range',
          name,
          min,
          max,
          value: values[name],
          onInput: (event: Event) => {
            values[name] = Number((event.target as HTMLInputElement).value);
          },
        }),
      ]);

    return () =>
      h('div', { class: 'timeline', 'data-of': of }, [
        h('div', { class: 'timeline-controls' }, [
          ...demo.controls.map(slider),
          h('button', { type: 'button', disabled: isRunning.value, onClick: run }, 'Run'),
        ]),
        h('div', { innerHTML: lanes.value }),
        h(
          'ul',
          { 'aria-live': 'polite' },
          results.value.map((result) => h('li', result)),
        ),
      ]);
  },
});
