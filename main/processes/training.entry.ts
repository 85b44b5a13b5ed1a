/** The process that trains: only wires its service to the parent. */
import { leaveProcess, openParentPort } from './parent-port.ts';
import { Peer } from './rpc.ts';
import type { TrainerNews } from './training-protocol.ts';
import { TrainingService } from './training/service.ts';

const parent = openParentPort();
const local: Record<string, (argument: never, ports: readonly unknown[]) => unknown> = {};
const station = new Peer<TrainerNews>((message) => parent.postMessage(message), local);
Object.assign(local, new TrainingService(station, () => void leaveProcess()).methods);
parent.onMessage((message, ports) => station.receive(message, ports));
