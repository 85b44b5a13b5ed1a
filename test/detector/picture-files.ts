/** An uncompressed 24-bit BMP, bottom row first, blue before red. `rgb`: `[height, width, 3]` */
export function bmpOf(width: number, height: number, rgb: Uint8Array): Uint8Array {
  const stride = Math.ceil((3 * width) / 4) * 4;
  const file = Buffer.alloc(54 + stride * height);
  file.write('BM');
  file.writeUInt32LE(file.length, 2);
  file.writeUInt32LE(54, 10);
  file.writeUInt32LE(40, 14);
  file.writeInt32LE(width, 18);
  file.writeInt32LE(height, 22);
  file.writeUInt16LE(1, 26);
  file.writeUInt16LE(24, 28);
  file.writeUInt32LE(stride * height, 34);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = 3 * (y * width + x);
      const to = 54 + (height - 1 - y) * stride + 3 * x;
      file[to] = rgb[from + 2]!;
      file[to + 1] = rgb[from + 1]!;
      file[to + 2] = rgb[from]!;
    }
  }
  return file;
}

/** An uncompressed 8-bit RGB TIFF in one strip. `rgb`: `[height, width, 3]` */
export function tiffOf(width: number, height: number, rgb: Uint8Array): Uint8Array {
  const long = 4;
  const short = 3;
  // Header, three bits-per-sample values, pixels, directory.
  const pixels = 16;
  const directory = pixels + rgb.length + (rgb.length % 2);
  const entries: [tag: number, type: number, count: number, value: number][] = [
    [256, long, 1, width],
    [257, long, 1, height],
    [258, short, 3, 8],
    [259, short, 1, 1],
    [262, short, 1, 2],
    [273, long, 1, pixels],
    [277, short, 1, 3],
    [278, long, 1, height],
    [279, long, 1, rgb.length],
    [284, short, 1, 1],
  ];
  const file = Buffer.alloc(directory + 2 + 12 * entries.length + 4);
  file.write('II');
  file.writeUInt16LE(42, 2);
  file.writeUInt32LE(directory, 4);
  for (let i = 0; i < 3; i++) file.writeUInt16LE(8, 8 + 2 * i);
  file.set(rgb, pixels);
  file.writeUInt16LE(entries.length, directory);
  entries.forEach(([tag, type, count, value], i) => {
    const at = directory + 2 + 12 * i;
    file.writeUInt16LE(tag, at);
    file.writeUInt16LE(type, at + 2);
    file.writeUInt32LE(count, at + 4);
    if (type === short && count === 1) file.writeUInt16LE(value, at + 8);
    else file.writeUInt32LE(value, at + 8);
  });
  return file;
}
