import type { Picture } from '../../main/pictures/picture.ts';

/** Kinds of synthetic change, as a station would meet them. */
export const perturbations = {
  'brightness -20 %': (picture: Picture) => scaled(picture, [0.8, 0.8, 0.8]),
  'brightness +20 %': (picture: Picture) => scaled(picture, [1.2, 1.2, 1.2]),
  'red cast +10 %': (picture: Picture) => scaled(picture, [1.1, 1, 1]),
  'blue cast -10 %': (picture: Picture) => scaled(picture, [1, 1, 0.9]),
  'blur sigma 0.5 %': (picture: Picture) => blurred(picture, 0.005 * Math.max(picture.width, picture.height)),
  'shift 5 %': (picture: Picture) => moved(picture, 0.05 * picture.width, 0, 0),
  'rotation 5 degrees': (picture: Picture) => moved(picture, 0, 0, 5),
} satisfies Record<string, (picture: Picture) => Picture>;

export type PerturbationName = keyof typeof perturbations;

/** The lamp's power or colour: each channel times its gain, clipped as a camera clips. */
export function scaled(picture: Picture, gains: readonly [number, number, number]): Picture {
  const data = new Uint8Array(picture.data.length);
  for (let i = 0; i < data.length; i++) data[i] = Math.min(255, Math.round(picture.data[i]! * gains[i % 3]!));
  return { ...picture, data };
}

/** Out of focus: a Gaussian, edges held. @param sigma pixels */
export function blurred(picture: Picture, sigma: number): Picture {
  const reach = Math.max(1, Math.ceil(3 * sigma));
  const weights = Array.from({ length: 2 * reach + 1 }, (_, i) => Math.exp(-((i - reach) ** 2) / (2 * sigma ** 2)));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const { width, height } = picture;
  const pass = (data: ArrayLike<number>, across: boolean): Float32Array => {
    const out = new Float32Array(data.length);
    const limit = across ? width - 1 : height - 1;
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        for (let c = 0; c < 3; c++) {
          let value = 0;
          for (let k = -reach; k <= reach; k++) {
            const at = Math.min(limit, Math.max(0, (across ? x : y) + k));
            value += weights[k + reach]! * data[3 * (across ? y * width + at : at * width + x) + c]!;
          }
          out[3 * (y * width + x) + c] = value / sum;
        }
      }
    }
    return out;
  };
  return { width, height, data: Uint8Array.from(pass(pass(picture.data, true), false), Math.round) };
}

/**
 * The part lies elsewhere: moved right, down (pixels) and turned about the middle (degrees); edges held. Bicubic, because
 * bilinear interpolation would blur what a real part's turning doesn't.
 */
export function moved(picture: Picture, dx: number, dy: number, degrees: number): Picture {
  const { width, height } = picture;
  const data = new Uint8Array(picture.data.length);
  const angle = (-degrees * Math.PI) / 180;
  const clamp = (value: number, most: number): number => Math.min(most, Math.max(0, value));
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const cx = x - width / 2 - dx;
      const cy = y - height / 2 - dy;
      const px = Math.cos(angle) * cx - Math.sin(angle) * cy + width / 2;
      const py = Math.sin(angle) * cx + Math.cos(angle) * cy + height / 2;
      const left = Math.floor(px);
      const top = Math.floor(py);
      const across = cubic(px - left);
      const down = cubic(py - top);
      let [red, green, blue] = [0, 0, 0];
      for (let row = 0; row < 4; row++) {
        const line = width * clamp(top + row - 1, height - 1);
        for (let column = 0; column < 4; column++) {
          const at = 3 * (line + clamp(left + column - 1, width - 1));
          const weight = down[row]! * across[column]!;
          red += weight * picture.data[at]!;
          green += weight * picture.data[at + 1]!;
          blue += weight * picture.data[at + 2]!;
        }
      }
      data.set(
        [red, green, blue].map((value) => clamp(Math.round(value), 255)),
        3 * (y * width + x),
      );
    }
  }
  return { width, height, data };
}

/** Weights of the four pixels around a place (Keys 1981, a = -0.75: sharper than usual). @param t 0..1 behind the second */
function cubic(t: number): [number, number, number, number] {
  const a = -0.75;
  const near = (d: number): number => ((a + 2) * d - (a + 3)) * d * d + 1;
  const far = (d: number): number => ((d - 5) * d + 8) * d * a - 4 * a;
  return [far(1 + t), near(t), near(1 - t), far(2 - t)];
}
