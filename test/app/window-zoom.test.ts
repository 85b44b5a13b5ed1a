import { expect, test } from 'vitest';
import { factorFor, nextZoom } from '../../main/app/window-zoom.ts';

const press = (key: string, more: Partial<Parameters<typeof nextZoom>[1]> = {}): Parameters<typeof nextZoom>[1] => ({
  type: 'keyDown',
  key,
  code: '',
  isAutoRepeat: false,
  isComposing: false,
  shift: false,
  control: true,
  alt: false,
  meta: false,
  location: 0,
  modifiers: [],
  ...more,
});

test('a large window shows everything larger, a small one never smaller', () => {
  expect(factorFor(1280, 800)).toBe(1);
  expect(factorFor(1920, 1080)).toBe(1);
  expect(factorFor(2560, 1440)).toBe(1.25);
  expect(factorFor(3840, 2160)).toBe(2);
  // Two screens side by side are not a larger one.
  expect(factorFor(3840, 1080)).toBe(1);
});

test('Ctrl with plus, minus and 0 zooms; the ends hold; other keys stay what they are', () => {
  expect(nextZoom(1, press('='))).toBe(1.25);
  expect(nextZoom(1.25, press('+'))).toBe(1.5);
  expect(nextZoom(3, press('+'))).toBe(3);
  expect(nextZoom(1, press('-'))).toBe(0.75);
  expect(nextZoom(0.75, press('-'))).toBe(0.75);
  expect(nextZoom(2, press('0'))).toBe(1);
  expect(nextZoom(1, press('+', { control: false }))).toBeNull();
  expect(nextZoom(1, press('+', { control: false, meta: true }))).toBe(1.25);
  expect(nextZoom(1, press('p'))).toBeNull();
  expect(nextZoom(1, press('+', { type: 'keyUp' }))).toBeNull();
});
