/**
 * A page without a browser, and the words as they are written. Import it before any widget.
 */
import { JSDOM } from 'jsdom';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';

const { window } = new JSDOM('<!doctype html><body></body>', {
  url: 'http://localhost:8888/lab',
  pretendToBeVisual: true
});

for (const name of [
  'document',
  'Element',
  'HTMLElement',
  'MutationObserver',
  'getSelection'
] as const) {
  const value: unknown = window[name];
  Object.defineProperty(globalThis, name, { value, configurable: true });
}
Object.defineProperty(globalThis, 'window', { value: globalThis });
// @lumino/widgets extends it while it is loaded; jsdom has none
Object.defineProperty(globalThis, 'DragEvent', { value: window.MouseEvent });

export { window };

function fill(text: string, args: readonly unknown[]): string {
  return text.replace(/%(\d)/g, (_, place) => String(args[Number(place) - 1]));
}

/** The texts in the language of the sources. */
export const trans = {
  __: (text: string, ...args: unknown[]) => fill(text, args),
  _n: (one: string, many: string, count: number, ...args: unknown[]) =>
    fill(count === 1 ? one : many, [count, ...args])
} as unknown as IRenderMime.TranslationBundle;
