import { createCanvas } from '@napi-rs/canvas';
import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Dispatcher, ownOrigin } from '../../main/ipc/dispatch.ts';
import { createStation } from '../../main/station/station.ts';
import { openStore } from '../../main/store/store.ts';
import type { Log } from '../../main/system/log.ts';
import type { Result } from '../../shared/ipc/channel.ts';
import type { ChannelInput, ChannelName, ChannelOutput } from '../../shared/ipc/contract.ts';
import type { ProcessHost } from '../../main/processes/child.ts';
import { NodeHost } from '../../main/processes/node-host.ts';
import { removeBundles } from '../../main/processes/process-entry.ts';
import { LocalHost } from '../station/local-host.ts';
import { judged, newModel } from '../store/helpers.ts';

/** A whole station as the window has it, and what good calls need of it. */
export interface CalledStation {
  root: string;
  /** As the window asks. */
  call(name: string, input: unknown): Promise<Result<unknown>>;
  /** Defects of the program that were found on the way. */
  defects: string[];
  projectId: string;
  classId: string;
  recipeId: string;
  /** Content of pictures of the project: two normal ones, two golden ones. */
  pictures: string[];
  partId: number;
  close(): Promise<void>;
}

const size = 48;

/** A grey picture like no other one. */
export function picture(seed: number): Uint8Array<ArrayBuffer> {
  const canvas = createCanvas(size, size);
  const context = canvas.getContext('2d');
  for (let y = 0; y < size; y += 4) {
    for (let x = 0; x < size; x += 4) {
      const grey = (seed * 31 + x * 7 + y * 13 + ((x * y * seed) % 17)) % 200;
      context.fillStyle = `rgb(${String(grey)} ${String(grey)} ${String(grey)})`;
      context.fillRect(x, y, 4, 4);
    }
  }
  return new Uint8Array(canvas.toBuffer('image/png'));
}

/** Judges in this process; the process that trains is a real one, for it knows the machine. */
class CalledHost implements ProcessHost {
  readonly #judging = new LocalHost();
  readonly #training = new NodeHost();

  start(entry: URL, name: string): ReturnType<ProcessHost['start']> {
    return name === 'training' ? this.#training.start(entry) : this.#judging.start();
  }
}

const log = { info: () => undefined, error: () => undefined } as unknown as Log;

/** A station with a project, two models, a feed, a few pictures with labels, and a judged part. */
export async function calledStation(): Promise<CalledStation> {
  const root = await mkdtemp(path.join(tmpdir(), 'twinspect calls ä '));
  const folder = path.join(root, 'station');
  const at = new Date().toISOString();
  const store = await openStore(folder);
  const projectId = store.projects.create({ name: 'Cups', note: '', createdAt: at }).id;
  for (const id of ['m1', 'm2']) {
    store.models.add({ ...newModel(projectId, id), modelHash: id.replace('m', '').repeat(64) });
    mkdirSync(path.dirname(store.models.path(id)), { recursive: true });
    writeFileSync(store.models.path(id), id);
    store.models.activate(id);
  }
  const partId = judged(store, projectId, { serial: 'S1', lot: 'L1' });
  store.close();

  mkdirSync(path.join(root, 'in'));
  const files = [0, 1, 2, 3].map((n) => path.join(root, 'in', `${String(n)}.png`));
  for (const [n, file] of files.entries()) writeFileSync(file, picture(n));
  const nothing = { path: null };
  const station = await createStation({
    folder,
    host: new CalledHost(),
    version: '0',
    electron: null,
    log,
    secretBox: undefined,
    emit: () => undefined,
    print: () => Promise.resolve(Buffer.from('%PDF-1.7 << /Type /Page >>')),
    dialogs: {
      'dialog.chooseFolder': () => nothing,
      'dialog.chooseFiles': () => ({ paths: [] }),
      'dialog.chooseSave': () => nothing,
      'dialog.show': () => ({}),
    },
    openLivePort: () => undefined,
  });
  const defects: string[] = [];
  const dispatcher = new Dispatcher({
    handlers: station.handlers,
    caller: () => ({ userId: null, name: 'Kim', role: 'administrator' }),
    onDefect: (channel, error) => defects.push(`${channel}: ${String(error)}`),
  });
  const own = { origin: ownOrigin, ownWindow: true };
  const call: CalledStation['call'] = (name, input) => dispatcher.call(name, input, own);
  async function ask<N extends ChannelName>(name: N, input: ChannelInput<N>): Promise<ChannelOutput<N>> {
    const result = await call(name, input);
    if (!result.ok) throw new Error(`${name}: ${result.error.message}`);
    return result.value as ChannelOutput<N>;
  }

  const { id: classId } = await ask('classes.create', { projectId, name: 'cup' });
  for (const [use, paths] of [
    ['normal', files.slice(0, 2)],
    ['golden', files.slice(2)],
  ] as const)
    await ask('pictures.importFiles', { projectId, classId, use, paths: [...paths] });
  const listed = { projectId, classId: null, label: 'any', sort: 'newest', offset: 0, limit: 9 } as const;
  const golden = await ask('pictures.list', { ...listed, use: 'golden' });
  const normal = await ask('pictures.list', { ...listed, use: 'normal' });
  const pictures = [...normal.pictures, ...golden.pictures].map(({ sha256 }) => sha256);
  for (const [i, { sha256 }] of golden.pictures.entries()) {
    const gtLabel = i === 0 ? 'pass' : 'fail';
    await ask('labels.set', { projectId, sha256, gtLabel, defectClass: null, regions: [], why: null });
  }
  const source = { kind: 'folder', path: path.join(root, 'in'), originals: 'keep', subFolder: 'none' } as const;
  const recipe = await ask('recipes.save', {
    ...{ id: null, projectId, name: 'Line', region: null, ignore: [], outputFolder: null, cycleTimeMs: null, lot: '' },
    source: { ...source, namePattern: '' },
  });
  return {
    root,
    call,
    defects,
    projectId,
    classId,
    recipeId: recipe.id,
    pictures,
    partId,
    close: async () => {
      await station.close();
      await removeBundles();
      await rm(root, { recursive: true, force: true });
    },
  };
}
