/** The process that judges: only wires its service to the parent. */
import type { StationMethods } from './inference-protocol.ts';
import { InferenceService } from './inference/service.ts';
import { leaveProcess, openParentPort } from './parent-port.ts';
import { Peer } from './rpc.ts';

const parent = openParentPort();
const local: Record<string, (argument: never, ports: readonly unknown[]) => unknown> = {};
const station = new Peer<StationMethods>((message) => parent.postMessage(message), local);
const service = new InferenceService(station, () => void leaveProcess());
Object.assign(local, service.methods);
parent.onMessage((message, ports) => station.receive(message, ports));
