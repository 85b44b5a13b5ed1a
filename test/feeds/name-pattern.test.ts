import { expect, test } from 'vitest';
import { compileNamePattern } from '../../shared/station/name-pattern.ts';

const read = (pattern: string, name: string) => compileNamePattern(pattern)(name);

test('serial, lot and class are read; what stands between them must be there', () => {
  expect(read('{lot}_{serial}.png', 'L42_000123.png')).toEqual({ lot: 'L42', serial: '000123', className: null });
  expect(read('{class}-{lot}-*-{serial}', 'cookie-L1-cam2-77.jpg')).toEqual({
    className: 'cookie',
    lot: 'L1',
    serial: '77',
  });
  expect(read('{lot}_{serial}.png', 'L42-000123.png')).toBeNull();
  expect(read('{lot}_{serial}.png', '_1.png')).toBeNull();
});

test('an extension is only asked for when the pattern has one; case does not matter', () => {
  expect(read('part{serial}', 'Part7.TIFF')).toMatchObject({ serial: '7' });
  expect(read('part{serial}.png', 'part7.jpg')).toBeNull();
  expect(read('*', 'anything.png')).toEqual({ lot: null, serial: null, className: null });
});

test('an empty pattern fits every name; signs with a meaning elsewhere stand for themselves', () => {
  expect(read('', 'x.png')).toEqual({ lot: null, serial: null, className: null });
  expect(read('a+b({serial}).png', 'a+b(9).png')).toMatchObject({ serial: '9' });
  expect(read('a.b{serial}', 'aXb9')).toBeNull();
});

test('any Unicode, composed or not', () => {
  expect(read('Größe_{serial}', 'Größe_부품.png'.normalize('NFD'))).toMatchObject({ serial: '부품' });
});

test('the same word twice is refused', () => {
  expect(() => compileNamePattern('{lot}_{lot}')).toThrow(/twice/);
});

test('no pattern and name take long', () => {
  expect(read(`${'*a'.repeat(60)}b`, 'a'.repeat(250))).toBeNull();
});
