// Writes parts, verdicts, labels and pictures as fast as it can until it's killed; says each number that is durable.
import { writeSync } from 'node:fs';
import { openStore } from '../../main/store/store.ts';

const [folder, runText] = process.argv.slice(2);
const run = Number(runText);
const store = await openStore(folder!);
const at = new Date().toISOString();
const projectId = (store.projects.list()[0] ?? store.projects.create({ name: 'Cups', note: '', createdAt: at })).id;
// What the process before left half-way ends without a decision.
for (const { partId } of store.parts.undecided()) store.parts.decideNothing(partId, 'The station stopped.', at);
const say = (what: string): void => void writeSync(1, `${what}\n`);
say('ready');
for (let i = 0; ; i++) {
  const { partId } = store.parts.present({
    projectId,
    source: `${run}-${i}.png`,
    serial: `${run}-${i}`,
    lot: `lot ${run}`,
    station: 'Line 1',
    shift: null,
    presentedAt: at,
    recordKey: `${run}-${i}`,
  });
  say(`presented ${partId}`);
  const bytes = Buffer.from(`picture ${run} ${i}`);
  const sha256 =
    i % 5 === 0 ? await store.pictures.addFile({ bytes, extension: 'png', widthPx: 1, heightPx: 1 }, at) : null;
  store.parts.decide(partId, {
    verdict: i % 3 === 0 ? 'fail' : 'pass',
    decidedAt: at,
    className: 'cup',
    reason: null,
    predScore: i,
    localScore: null,
    semanticScore: null,
    memoryScore: null,
    shares: null,
    hottest: null,
    thresholds: { review: 1, fail: 2 },
    displayScore: null,
    latencyMs: 1,
    modelId: null,
    modelHash: null,
    pictureSha256: sha256,
    hasHeatMap: false,
    similarSha256: null,
  });
  say(`decided ${partId} ${i % 3 === 0 ? 'fail' : 'pass'}`);
  if (sha256 === null) continue;
  store.transaction(() => {
    const label = store.parts.answer({ partId, verdict: 'fail', defectClass: 'crack', why: null, by: 'Ann', at });
    store.events.add({ at, actor: 'Ann', role: 'operator', action: 'label.set', subject: `part ${label.id}` });
  });
  say(`answered ${partId}`);
}
