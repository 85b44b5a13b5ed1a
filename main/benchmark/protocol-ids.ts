/** Names of the protocols, apart from them so that `--help` loads nothing heavy. */
export const protocolIds = [
  'mvtec-ad',
  'visa',
  'mvtec-loco',
  'real-iad',
  'cifar10',
  'cifar100',
  'fashion-mnist',
  'view',
  'papers16',
  'cifar10_subset',
] as const;
export type ProtocolId = (typeof protocolIds)[number];
