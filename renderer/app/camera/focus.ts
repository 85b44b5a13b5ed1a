/**
 * How sharp a picture is, whatever it shows and however noisy it is: the energy of its fine detail over that of its
 * middle detail (differences of Gaussians of 1, 2 and 4 pixels at about 320 pixels across, squared and averaged, less
 * what noise adds to them). A step edge has 0.5, pictures of parts in focus 0.28 to 1.2 whatever the contrast; a blur of
 * 1 % of the width leaves 0.1 to 0.19. Fine structure that the model can't see anyway does not count.
 */

/** Width that pictures are brought to, at least; the model sees about as much. */
const workWidth = 320;
/** Below this root mean square of the middle detail, luma steps, there is nothing to be sharp. */
const leastDetail = 0.4;
/** Energy that noise of variance 1 adds to the two bands: 1/4pi + 1/16pi - 1/5pi, and 1/16pi + 1/64pi - 1/20pi. */
const noiseGain = { fine: 0.0358, middle: 0.009 };

/**
 * @param luma `[height, width]`
 * @returns null where there is too little detail to tell
 */
export function sharpnessOf(luma: Uint8Array, width: number, height: number): number | null {
  const factor = Math.max(1, Math.floor(width / workWidth));
  const columns = Math.floor(width / factor);
  const rows = Math.floor(height / factor);
  const margin = 12;
  if (columns <= 2 * margin || rows <= 2 * margin) return null;
  const small = shrunk(luma, width, factor, columns, rows);
  const noise = noiseOf(small, columns, rows) ** 2;
  const [one, two, four] = [1, 2, 4].map((sigma) => blurred(small, columns, rows, sigma)) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  let fine = 0;
  let middle = 0;
  for (let y = margin; y < rows - margin; y++) {
    for (let x = margin; x < columns - margin; x++) {
      const at = y * columns + x;
      fine += (one[at]! - two[at]!) ** 2;
      middle += (two[at]! - four[at]!) ** 2;
    }
  }
  const count = (rows - 2 * margin) * (columns - 2 * margin);
  const detail = middle / count - noiseGain.middle * noise;
  if (detail < leastDetail ** 2) return null;
  return Math.max(0, fine / count - noiseGain.fine * noise) / detail;
}

/** Means of `factor` x `factor` pixels. */
function shrunk(luma: Uint8Array, width: number, factor: number, columns: number, rows: number): Float32Array {
  const small = new Float32Array(columns * rows);
  for (let y = 0; y < rows * factor; y++) {
    const row = Math.floor(y / factor) * columns;
    for (let x = 0; x < columns * factor; x++) small[row + Math.floor(x / factor)]! += luma[y * width + x]!;
  }
  const share = 1 / factor ** 2;
  return small.map((sum) => sum * share);
}

/** Standard deviation of the noise: median response of a mask that edges hardly answer to (Immerkaer, 1996). */
function noiseOf(picture: Float32Array, width: number, height: number): number {
  const answers: number[] = [];
  for (let y = 1; y < height - 1; y += 2) {
    for (let x = 1; x < width - 1; x += 2) {
      const row = (v: number): number =>
        picture[v * width + x - 1]! - 2 * picture[v * width + x]! + picture[v * width + x + 1]!;
      answers.push(Math.abs(row(y - 1) - 2 * row(y) + row(y + 1)) / 6);
    }
  }
  answers.sort((a, b) => a - b);
  return answers[answers.length >> 1]! / 0.6745;
}

/** Gaussian blur; beyond the border the last pixel goes on. */
export function blurred(picture: Float32Array, width: number, height: number, sigma: number): Float32Array {
  const radius = Math.ceil(3 * sigma);
  const kernel = Array.from({ length: 2 * radius + 1 }, (_, i) => Math.exp(-((i - radius) ** 2) / (2 * sigma ** 2)));
  const total = kernel.reduce((sum, value) => sum + value, 0);
  const along = (from: Float32Array, step: number, length: number, lines: number, lineStep: number): Float32Array => {
    const out = new Float32Array(from.length);
    for (let line = 0; line < lines; line++) {
      for (let i = 0; i < length; i++) {
        let sum = 0;
        for (let k = 0; k < kernel.length; k++) {
          const at = Math.min(length - 1, Math.max(0, i + k - radius));
          sum += kernel[k]! * from[line * lineStep + at * step]!;
        }
        out[line * lineStep + i * step] = sum / total;
      }
    }
    return out;
  };
  return along(along(picture, 1, width, height, width), width, height, width, 1);
}
