/** PyTorch weight files (`.pth`, `.pt`, `.bin`): a zip archive with one pickle and one stored member per storage. */
import { open } from 'node:fs/promises';
import yauzl from 'yauzl';
import { UserError } from '../../shared/errors.ts';
import { namedTensors, pickleLimits, type PickledTensor } from './pickle-values.ts';
import { readPickle } from './torch-pickle.ts';
import { elementCount, floatBytes, type FloatDtype, type StoredTensor } from './weight-tensor.ts';

/** Members an archive may have; a ViT-L has about 350. */
const maxMembers = 20_000;

const dtypeOf: Readonly<Record<string, FloatDtype>> = {
  FloatStorage: 'F32',
  HalfStorage: 'F16',
  BFloat16Storage: 'BF16',
  DoubleStorage: 'F64',
};

function broken(name: string, what: string): UserError {
  return new UserError(
    'torchFileInvalid',
    `${name} is not a PyTorch weight file that can be read: ${what}.`,
    'Fetch the file again, or use the safetensors form.',
  );
}

interface Member {
  readonly start: number;
  readonly bytes: number;
}

/** Places of all members; only stored (not compressed) ones are taken, which is all PyTorch writes. */
async function listMembers(file: string): Promise<Map<string, Member>> {
  const members = new Map<string, Member>();
  let zip: yauzl.ZipFile | undefined;
  try {
    zip = await yauzl.openPromise(file, { strictFileNames: true, autoClose: false, validateEntrySizes: true });
    if (zip.entryCount > maxMembers) throw broken(file, `it has ${zip.entryCount} members`);
    for await (const entry of zip.eachEntry()) {
      const name = entry.fileName;
      if (name.length > 1000 || members.has(name)) throw broken(file, 'a member is there twice');
      if (entry.compressionMethod !== 0 || entry.isEncrypted() || entry.compressedSize !== entry.uncompressedSize) {
        throw broken(file, 'its members are compressed or encrypted, as PyTorch never writes them');
      }
      const { fileDataStart } = await zip.readLocalFileHeaderPromise(entry, { minimal: true });
      if (fileDataStart + entry.compressedSize > zip.fileSize) throw broken(file, 'a member lies outside the file');
      members.set(name, { start: fileDataStart, bytes: entry.compressedSize });
    }
    return members;
  } catch (error) {
    if (error instanceof UserError) throw error;
    const why = (error instanceof Error ? error.message : String(error)).replace(/\p{Cc}/gu, ' ').slice(0, 160);
    const isCut = why.includes('central directory') || why.includes('end of');
    throw broken(file, isCut ? `its end is missing, the download may be incomplete (${why})` : why);
  } finally {
    zip?.close();
  }
}

async function readMember(file: string, member: Member): Promise<Uint8Array> {
  if (member.bytes > pickleLimits.bytes) throw broken(file, `its table of tensors has ${member.bytes} bytes`);
  const handle = await open(file, 'r');
  try {
    const bytes = new Uint8Array(member.bytes);
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, member.start);
    if (bytesRead < bytes.length) throw broken(file, 'it is cut off');
    return bytes;
  } finally {
    await handle.close();
  }
}

/** Steps of a row-major tensor without gaps. */
function rowMajor(shape: readonly number[]): number[] {
  const strides = shape.map(() => 1);
  for (let axis = shape.length - 2; axis >= 0; axis -= 1) strides[axis] = strides[axis + 1]! * shape[axis + 1]!;
  return strides;
}

function place(file: string, dtype: FloatDtype, tensor: PickledTensor, member: Member): StoredTensor {
  const { shape, strides, offset } = tensor;
  const size = floatBytes[dtype];
  const natural = rowMajor(shape);
  // Steps along axes of length 1 (or of an empty tensor) are never taken: PyTorch writes what it likes there.
  const isRowMajor = elementCount(shape) === 0 || shape.every((n, axis) => n === 1 || strides[axis] === natural[axis]);
  const span = isRowMajor ? elementCount(shape) : shape.reduce((sum, n, axis) => sum + (n - 1) * strides[axis]!, 1);
  const stored = { dtype, shape, file, byteOffset: member.start + offset * size, byteLength: span * size };
  return isRowMajor ? stored : { ...stored, strides };
}

/**
 * Opens a weight file without reading its numbers. The pickle inside is read by a restricted reader that refuses
 * whatever isn't a tensor, table, list, tuple, number or text, and never runs anything.
 * @returns its floating-point tensors by name (names of nested tables joined with dots), and the names of the others
 * @throws UserError `fileUnreadable` | `torchFileInvalid`
 */
export async function openTorchFile(file: string): Promise<{ tensors: Map<string, StoredTensor>; others: string[] }> {
  const members = await listMembers(file);
  const pickles = [...members.keys()].filter((name) => name === 'data.pkl' || /^[^/]+\/data\.pkl$/.test(name));
  const [pickle] = pickles;
  if (pickle === undefined || pickles.length > 1) throw broken(file, 'its table of tensors (data.pkl) is missing');
  const root = pickle.slice(0, -'data.pkl'.length);
  const order = members.get(`${root}byteorder`);
  if (order !== undefined && new TextDecoder().decode(await readMember(file, order)) !== 'little') {
    throw broken(file, 'it was written with the other byte order');
  }
  const named = namedTensors(readPickle(await readMember(file, members.get(pickle)!), file), file);

  const tensors = new Map<string, StoredTensor>();
  const others: string[] = [];
  for (const [key, tensor] of named) {
    const dtype = dtypeOf[tensor.storageType];
    if (dtype === undefined) {
      others.push(key);
      continue;
    }
    const member = members.get(`${root}data/${tensor.storageKey}`);
    if (member === undefined || member.bytes !== tensor.storageSize * floatBytes[dtype]) {
      throw broken(file, `the numbers of '${key.slice(0, 120)}' are missing or of another size than stated`);
    }
    tensors.set(key, place(file, dtype, tensor, member));
  }
  return { tensors, others };
}
