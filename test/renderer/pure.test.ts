import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readPicture } from '../../main/pictures/decode.ts';
import { resample } from '../../main/pictures/resample.ts';
import { constraintsOf, controlsOf, heldAsTheyAre } from '../../renderer/app/camera/controls.ts';
import { blurred } from '../../renderer/app/camera/focus.ts';
import { coloursOf } from '../../renderer/app/camera/read-frame.ts';
import {
  changedShare,
  coarseHeight,
  coarseOf,
  coarseWidth,
  lookAt,
  problemsOf,
} from '../../renderer/app/camera/look.ts';
import { seenCells } from '../../renderer/app/camera/seen-cells.ts';
import { StillTrigger } from '../../renderer/app/camera/still-trigger.ts';
import { contour, paintHeat } from '../../renderer/app/heat.ts';
import { boxBetween, brushed, outlines, polygonOf, thin } from '../../renderer/app/regions.ts';
import { placeOf } from '../../renderer/app/views/inspect/shown-part.ts';
import { createRandom } from '../../shared/random.ts';
import fc from '../seeded-fast-check.ts';

/** Node has no ImageData; the code only needs its fields. */
class PlainImageData {
  readonly data: Uint8ClampedArray;
  readonly width: number;
  readonly height: number;

  constructor(width: number, height: number) {
    this.data = new Uint8ClampedArray(4 * width * height);
    this.width = width;
    this.height = height;
  }
}
Object.assign(globalThis, { ImageData: PlainImageData });

describe('what a camera says of its samples', () => {
  it('is taken over; what it leaves open is limited range and BT.601', () => {
    expect(coloursOf({ fullRange: true, matrix: 'smpte170m' })).toEqual({ range: 'full', matrix: 'bt601' });
    expect(coloursOf({ fullRange: false, matrix: 'bt709' })).toEqual({ range: 'limited', matrix: 'bt709' });
    expect(coloursOf({ fullRange: null, matrix: null })).toEqual({ range: 'limited', matrix: 'bt601' });
  });
});

describe('controls of a camera', () => {
  const capabilities = {
    exposureMode: ['continuous', 'manual'],
    focusMode: ['continuous'],
    exposureTime: { min: 3, max: 2047, step: 1 },
    colorTemperature: { min: 2800, max: 2800, step: 10 },
    sharpness: { min: 0, max: 1 },
    width: { min: 1, max: 1920 },
  };
  const settings = { exposureMode: 'continuous', exposureTime: 250, sharpness: 0.5 };

  it('are those with something to choose, as they stand', () => {
    expect(controlsOf(capabilities, settings)).toEqual([
      { kind: 'mode', name: 'exposureMode', choices: ['continuous', 'manual'], value: 'continuous' },
      { kind: 'range', name: 'exposureTime', min: 3, max: 2047, step: 1, value: 250 },
      { kind: 'range', name: 'sharpness', min: 0, max: 1, step: 0.01, value: 0.5 },
    ]);
    expect(controlsOf({}, {})).toEqual([]);
  });
  it('are all held, nothing left to the camera itself', () =>
    expect(heldAsTheyAre(controlsOf(capabilities, settings))).toEqual({
      exposureMode: 'manual',
      exposureTime: 250,
      sharpness: 0.5,
    }));
});

describe('settings that are held', () => {
  it('go one by one, modes first, so that one that can not be held keeps no other from it', () => {
    const capabilities = { exposureTime: { min: 1, max: 9 }, exposureMode: ['manual', 'continuous'], zoom: { max: 4 } };
    const held = { exposureTime: 5, zoom: 99, sharpness: 3, exposureMode: 'manual' };
    expect(constraintsOf(held, capabilities)).toEqual({
      advanced: [{ exposureMode: 'manual' }, { exposureTime: 5 }, { zoom: 99 }],
    });
    expect(constraintsOf({}, capabilities)).toEqual({ advanced: [] });
  });
});

describe('trigger that looks at a region', () => {
  it('sees neither motion nor parts outside of it', () => {
    const polygon = [
      { x: 0, y: 0 },
      { x: 0.5, y: 0 },
      { x: 0.5, y: 1 },
      { x: 0, y: 1 },
    ];
    const view = {
      region: { shape: 'polygon', points: polygon },
      ignore: [{ shape: 'rectangle', x: 0, y: 0, width: 0.5, height: 0.5 }],
    } as const;
    const cells = seenCells({ region: view.region, ignore: view.ignore })!;
    const count = cells.reduce((sum, one) => sum + one, 0);
    expect(count).toBe((coarseWidth * coarseHeight) / 4);
    expect(seenCells({ region: null, ignore: [] })).toBeNull();
    const luma = (left: number, top: number): Uint8Array =>
      Uint8Array.from({ length: 320 * 240 }, (_, i) => {
        const [x, y] = [i % 320, Math.floor(i / 320)];
        return x >= left && x < left + 40 && y >= top && y < top + 40 ? 200 : 100;
      });
    const trigger = new StillTrigger(count);
    const taken = (views: Uint8Array[]): number =>
      views.filter((one) => trigger.next(coarseOf(one, 320, 240, cells)) === 'take').length;
    const lying = (left: number, top: number): Uint8Array[] => Array.from({ length: 8 }, () => luma(left, top));
    expect(taken(lying(400, 0)), 'empty').toBe(0);
    expect(taken([...lying(200, 150), ...lying(20, 20)]), 'outside, and left out').toBe(0);
    // A hand moves beside it all the while.
    const hand = lying(20, 150).map((one, i) => one.map((value, at) => (at % 320 > 200 + i ? 250 - 9 * i : value)));
    expect(taken(hand), 'inside').toBe(1);
    // The camera was away: the part that lies there is not the empty view.
    trigger.goOn();
    expect(taken(lying(20, 150)), 'after a pulled cable').toBe(0);
    expect(taken(lying(400, 0)), 'taken away').toBe(0);
    expect(taken(lying(60, 180)), 'another one').toBe(1);
  });
});

describe('self-test of the camera', () => {
  const scene = (of: (x: number, y: number) => number): Uint8Array =>
    Uint8Array.from({ length: 320 * 240 }, (_, i) => of(i % 320, Math.floor(i / 320)));
  const problems = (luma: Uint8Array) => problemsOf(lookAt(luma, 320, 240, 'limited'));
  const board = (x: number, y: number): number => (((x >> 4) + (y >> 4)) % 2 === 0 ? 60 : 180);

  it('says nothing of a sharp, well lit scene', () => expect(problems(scene(board))).toEqual([]));
  it('finds it too dark', () => expect(problems(scene((x, y) => 16 + board(x, y) / 12))).toEqual(['tooDark']));
  it('finds it overexposed', () => expect(problems(scene((x) => (x < 200 ? 235 : 120)))).toEqual(['overexposed']));
  it('knows the ends of full range', () => {
    const full = (luma: Uint8Array) => problemsOf(lookAt(luma, 320, 240, 'full'));
    const lit = (white: number) => scene((x, y) => (x < 200 ? white : board(x, y)));
    expect(full(lit(240))).not.toContain('overexposed');
    expect(full(lit(255))).toEqual(['overexposed']);
  });
  it('finds a small part before a black ground lit well enough', () =>
    expect(problems(scene((x, y) => (x > 120 && x < 200 && y > 80 && y < 160 ? board(x, y) : 18)))).toEqual([]));
  it('finds it blurred, with noise and without', () => {
    const soft = blurred(Float32Array.from(scene(board)), 320, 240, 4);
    expect(problems(Uint8Array.from(soft))).toEqual(['blurred']);
    const random = createRandom(5);
    expect(problems(Uint8Array.from(soft, (value) => value + 3 * random.normal()))).toEqual(['blurred']);
  });
  it('finds no blur where one plain part lies, nor where nothing does', () => {
    const random = createRandom(6);
    const noisy = (value: number): number => value + 2 * random.normal();
    expect(problems(scene((x, y) => noisy(x > 90 && x < 230 && y > 60 && y < 180 ? 170 : 90)))).toEqual([]);
    expect(problems(scene((x) => noisy(90 + x / 20)))).toEqual([]);
  });

  it.each(['PA_BDP01_TL', 'PA_BRG03_TL', 'PA_FVN01_TL', 'PA_GLA01_TL'])(
    'tells real sheets (%s) in focus from ones out of it',
    async (kind) => {
      const folder = join(import.meta.dirname, '..', '..', 'models', 'sample', 'papers', kind, 'train', 'good');
      const picture = resample(await readPicture(join(folder, readdirSync(folder).sort()[0]!)), 320, 240, 'bilinear');
      const luma = Float32Array.from({ length: 320 * 240 }, (_, i) => picture.data[3 * i + 1]!);
      const random = createRandom(7);
      const seen = (sigma: number): Uint8Array =>
        Uint8Array.from(sigma === 0 ? luma : blurred(luma, 320, 240, sigma), (value) => value + 1.5 * random.normal());
      expect(problems(seen(0))).not.toContain('blurred');
      expect(problems(seen(4))).toContain('blurred');
    },
  );
});

describe('trigger on a part in view that lies still', () => {
  const empty = (): Uint8Array => new Uint8Array(coarseWidth * coarseHeight).fill(100);
  /** A bright part whose left edge is at `x`. */
  const part = (x: number): Uint8Array => {
    const view = empty();
    for (let y = 20; y < 50; y++)
      for (let u = 0; u < 30; u++) if (x + u < coarseWidth) view[y * coarseWidth + x + u] = 200;
    return view;
  };
  const run = (trigger: StillTrigger, views: Uint8Array[]): number =>
    views.map((view) => trigger.next(view)).filter((state) => state === 'take').length;
  const times = (n: number, of: (i: number) => Uint8Array): Uint8Array[] => Array.from({ length: n }, (_, i) => of(i));

  it('takes each part once, and nothing else', () => {
    const trigger = new StillTrigger();
    expect(run(trigger, times(10, empty)), 'empty view').toBe(0);
    expect(
      run(
        trigger,
        times(8, (i) => part(4 * i)),
      ),
      'moving in',
    ).toBe(0);
    expect(
      run(
        trigger,
        times(40, () => part(32)),
      ),
      'lying still',
    ).toBe(1);
    expect(
      run(
        trigger,
        times(8, (i) => part(32 + 6 * i)),
      ),
      'moving out',
    ).toBe(0);
    expect(run(trigger, times(20, empty)), 'empty again').toBe(0);
    expect(run(trigger, [...times(8, (i) => part(4 * i)), ...times(20, () => part(32))]), 'a like part').toBe(1);
  });

  it('follows slow changes of light while the view is empty', () => {
    const trigger = new StillTrigger();
    const dusk = times(120, (i) => empty().fill(100 - Math.floor(i / 4)));
    expect(run(trigger, dusk)).toBe(0);
  });

  it('learns the empty view anew when told', () => {
    const trigger = new StillTrigger();
    run(trigger, times(10, empty));
    trigger.learnEmpty();
    expect(
      run(
        trigger,
        times(20, () => part(30)),
      ),
      'this is the empty view now',
    ).toBe(0);
  });

  it('sees nothing changed between equal views, all of it between opposite ones', () => {
    expect(changedShare(empty(), empty())).toBe(0);
    expect(changedShare(empty().fill(0), empty().fill(255))).toBe(1);
    expect(coarseOf(new Uint8Array(640 * 480).fill(77), 640, 480).every((value) => value === 77)).toBe(true);
  });
});

describe('heat map', () => {
  it('is transparent where cold and of one hue everywhere', () => {
    const { data } = paintHeat({ width: 2, height: 1, bytes: Uint8Array.from([0, 200]) }, [214, 0, 126]);
    expect([...data]).toEqual([214, 0, 126, 0, 214, 0, 126, 200]);
  });

  it('draws a closed line around what is hot, also at the border', () => {
    for (const [x, y] of [
      [2, 2],
      [0, 0],
      [4, 4],
    ] as const) {
      const bytes = new Uint8Array(25);
      bytes[y * 5 + x] = 255;
      const lines = contour({ width: 5, height: 5, bytes });
      expect(lines.length / 4).toBe(4);
      // Every end is met by another: closed.
      const ends = new Map<string, number>();
      for (let i = 0; i < lines.length; i += 2) {
        const key = `${lines[i]!.toFixed(4)} ${lines[i + 1]!.toFixed(4)}`;
        ends.set(key, (ends.get(key) ?? 0) + 1);
      }
      expect([...ends.values()].every((count) => count === 2)).toBe(true);
    }
  });

  it('draws nothing on a calm map', () =>
    expect(contour({ width: 4, height: 4, bytes: new Uint8Array(16).fill(120) })).toHaveLength(0));

  it('names the place in words', () => {
    expect(placeOf({ x: 0.1, y: 0.1 })).toBe('upperLeft');
    expect(placeOf({ x: 0.5, y: 0.5 })).toBe('middleCentre');
    expect(placeOf({ x: 1, y: 1 })).toBe('lowerRight');
  });
});

describe('regions', () => {
  it('makes a box whatever the direction of the drag, and none of a click', () => {
    const box = { shape: 'rectangle', x: 0.2, y: 0.3, width: 0.4, height: 0.2 };
    expect(boxBetween({ x: 0.2, y: 0.3 }, { x: 0.6, y: 0.5 })).toMatchObject({ shape: 'rectangle', x: 0.2, y: 0.3 });
    const back = boxBetween({ x: 0.6, y: 0.5 }, { x: 0.2, y: 0.3 });
    expect(back?.shape === 'rectangle' && back.width).toBeCloseTo(box.width);
    expect(boxBetween({ x: 0.5, y: 0.5 }, { x: 0.5, y: 0.5 })).toBeNull();
  });

  it('traces the outline of painted cells', () => {
    const mask = new Uint8Array(36);
    for (const i of [7, 8, 13, 14]) mask[i] = 1;
    const [square, ...more] = outlines(mask, 6, 6);
    expect(more).toEqual([]);
    expect(square).toHaveLength(8);
    expect(square).toContainEqual({ x: 1, y: 1 });
    expect(square).toContainEqual({ x: 3, y: 3 });
  });

  it('leaves the hole of a ring out and keeps two areas apart', () => {
    const ring = new Uint8Array(49);
    for (let y = 1; y < 6; y++)
      for (let x = 1; x < 6; x++) if (x === 1 || x === 5 || y === 1 || y === 5) ring[y * 7 + x] = 1;
    expect(outlines(ring, 7, 7)).toHaveLength(1);
    const two = new Uint8Array(25);
    two[0] = two[24] = 1;
    expect(outlines(two, 5, 5)).toHaveLength(2);
  });

  it('ends for every mask, and covers its cells exactly once', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 64, maxLength: 64, max: 1 }), (mask) => {
        const borders = outlines(mask, 8, 8);
        // Shoelace area of the outer borders: the painted cells and their holes.
        const area = borders.reduce(
          (sum, border) =>
            sum +
            border.reduce((inner, { x, y }, i) => {
              const next = border[(i + 1) % border.length]!;
              return inner + (x * next.y - next.x * y) / 2;
            }, 0),
          0,
        );
        expect(area).toBeGreaterThanOrEqual(mask.reduce((sum, value) => sum + value, 0) > 0 ? 1 : 0);
      }),
      { numRuns: 200 },
    );
  });

  it('keeps a painted stroke as one polygon of at most 500 points inside the picture', () => {
    const stroke = Array.from({ length: 400 }, (_, i) => ({
      x: 0.5 + 0.6 * Math.sin(i / 20),
      y: 0.5 + 0.3 * Math.cos(i / 13),
    }));
    const regions = brushed(stroke, 0.02, 0.75);
    expect(regions.length).toBeGreaterThan(0);
    for (const region of regions) {
      expect(region.shape).toBe('polygon');
      if (region.shape !== 'polygon') continue;
      expect(region.points.length).toBeLessThanOrEqual(500);
      expect(region.points.every(({ x, y }) => x >= 0 && x <= 1 && y >= 0 && y <= 1)).toBe(true);
    }
  });

  it('thins a straight line to its ends', () => {
    expect(
      thin(
        Array.from({ length: 50 }, (_, i) => ({ x: i, y: 2 * i })),
        0.01,
      ),
    ).toEqual([
      { x: 0, y: 0 },
      { x: 49, y: 98 },
    ]);
    expect(
      polygonOf([
        { x: 0, y: 0 },
        { x: 1, y: 1 },
      ]),
    ).toBeNull();
  });
});
