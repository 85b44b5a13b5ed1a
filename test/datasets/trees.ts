import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { encode } from 'fast-png';

/** Small sets in their official layouts; every picture has its own content. */
let shade = 0;

export async function putPicture(root: string, path: string, size = 8): Promise<void> {
  const file = join(root, path);
  await mkdir(dirname(file), { recursive: true });
  shade++;
  const data = new Uint8Array(size * size * 3).fill(shade & 255);
  data[0] = (shade >> 8) & 255;
  await writeFile(file, encode({ width: size, height: size, data, channels: 3 }));
}

/** A mask of one channel with the rectangle `[x, y, width, height]` set. */
export async function putMask(
  root: string,
  path: string,
  box: readonly number[],
  size = 8,
  value = 255,
): Promise<void> {
  const file = join(root, path);
  await mkdir(dirname(file), { recursive: true });
  const data = new Uint8Array(size * size);
  const [x, y, width, height] = box as [number, number, number, number];
  for (let row = y; row < y + height; row++) data.fill(value, row * size + x, row * size + x + width);
  await writeFile(file, encode({ width: size, height: size, data, channels: 1 }));
}

export async function putText(root: string, path: string, text: string | Uint8Array): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), text);
}

export async function mvtecTree(root: string, classes: readonly string[], count = 3): Promise<void> {
  for (const name of classes) {
    for (let i = 0; i < count; i++) await putPicture(root, `${name}/train/good/00${i}.png`);
    for (let i = 0; i < 2; i++) await putPicture(root, `${name}/test/good/00${i}.png`);
    for (let i = 0; i < 2; i++) {
      await putPicture(root, `${name}/test/crack/00${i}.png`);
      await putMask(root, `${name}/ground_truth/crack/00${i}_mask.png`, [2, 2, 3, 3]);
    }
  }
}

export async function locoTree(root: string, name = 'pushpins'): Promise<void> {
  for (let i = 0; i < 2; i++) {
    await putPicture(root, `${name}/train/good/00${i}.png`);
    await putPicture(root, `${name}/validation/good/00${i}.png`);
    await putPicture(root, `${name}/test/good/00${i}.png`);
    for (const kind of ['logical_anomalies', 'structural_anomalies']) {
      await putPicture(root, `${name}/test/${kind}/00${i}.png`);
      await putMask(root, `${name}/ground_truth/${kind}/00${i}/000.png`, [0, 0, 2, 2]);
      await putMask(root, `${name}/ground_truth/${kind}/00${i}/001.png`, [6, 6, 2, 2], 8, 1);
    }
  }
}

export async function visaTree(root: string, name = 'candle'): Promise<void> {
  const rows = ['object,split,label,image,mask'];
  for (let i = 0; i < 4; i++) {
    const image = `${name}/Data/Images/Normal/000${i}.JPG`;
    await putPicture(root, image);
    rows.push(`${name},${i < 2 ? 'train' : 'test'},normal,${image},`);
  }
  for (let i = 0; i < 2; i++) {
    const image = `${name}/Data/Images/Anomaly/00${i}.JPG`;
    const mask = `${name}/Data/Masks/Anomaly/00${i}.png`;
    await putPicture(root, image);
    await putMask(root, mask, [1, 1, 2, 2], 8, 3);
    rows.push(`${name},test,anomaly,${image},${mask}`);
  }
  await putText(root, 'split_csv/1cls.csv', `${rows.join('\n')}\n`);
}

export async function realIadTree(root: string, name = 'audiojack'): Promise<void> {
  const entry = (kind: string, i: number): Record<string, unknown> => ({
    category: name,
    anomaly_class: kind === 'OK' ? 'OK' : 'AK',
    image_path: `${kind}/S000${i}/${name}_${i}.jpg`,
    mask_path: kind === 'OK' ? null : `${kind}/S000${i}/${name}_${i}.png`,
  });
  const train = [entry('OK', 0), entry('OK', 1)];
  const test = [entry('OK', 2), entry('NG', 3)];
  for (const item of [...train, ...test]) {
    await putPicture(root, `realiad_1024/${name}/${String(item['image_path'])}`);
    if (item['mask_path'] !== null)
      await putMask(root, `realiad_1024/${name}/${String(item['mask_path'])}`, [0, 0, 1, 1]);
  }
  const list = { meta: { normal_class: 'OK', prefix: '' }, train, test };
  await putText(root, `realiad_jsons/realiad_jsons/${name}.json`, JSON.stringify(list));
}

/** Class folders as in View (Intel) and in our small packs. */
export async function classFolders(train: string, test: string, classes: readonly string[], count = 2): Promise<void> {
  for (const name of classes) {
    for (let i = 0; i < count; i++) {
      await putPicture(train, `${name}/${i}.png`);
      await putPicture(test, `${name}/${100 + i}.png`);
    }
  }
}

/** CIFAR-10 binary batches: `perBatch` pictures each; picture i of a batch has label i mod 10. */
export function cifarBinary(perBatch: number, labelBytes: 1 | 2 = 1): Uint8Array {
  const record = labelBytes + 3072;
  const bytes = new Uint8Array(perBatch * record);
  for (let i = 0; i < perBatch; i++) {
    bytes[i * record] = i % 10;
    if (labelBytes === 2) bytes[i * record + 1] = 2 * (i % 10);
    // Red 10, green 20, blue 30 + i.
    [10, 20, 30 + i].forEach((value, c) =>
      bytes.fill(value, i * record + labelBytes + c * 1024, i * record + labelBytes + (c + 1) * 1024),
    );
  }
  return bytes;
}

export function idx(shape: readonly number[], data: Uint8Array): Buffer {
  const head = Buffer.alloc(4 + 4 * shape.length);
  head.writeUInt32BE(0x800 + shape.length, 0);
  shape.forEach((size, i) => head.writeUInt32BE(size, 4 + 4 * i));
  return Buffer.concat([head, data]);
}

/** A ustar archive. */
export function tarOf(files: Readonly<Record<string, Uint8Array | string>>): Buffer {
  const blocks: Buffer[] = [];
  for (const [name, given] of Object.entries(files)) {
    const content = Buffer.from(given);
    const header = Buffer.alloc(512);
    header.write(name, 0, 100, 'utf8');
    header.write('0000644\0', 100);
    header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124);
    header.write('        ', 148);
    header.write('0', 156);
    header.write('ustar\0' + '00', 257);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    blocks.push(header, content, Buffer.alloc((512 - (content.length % 512)) % 512));
  }
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}
