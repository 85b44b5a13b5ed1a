import { useI18n } from 'vue-i18n';
import type { Settings } from '../../../shared/ipc/settings.ts';
import { engineLabel } from '../../../shared/station/engine-label.ts';

export type Engine = Settings['engine'];
export const engines = ['auto', 'cpu', 'cuda', 'dml', 'webgpu', 'coreml'] as const satisfies readonly Engine[];

/** An engine in words; what a record names otherwise is named as there. */
export function useEngineName(): (name: string) => string {
  const { t } = useI18n();
  return (name) =>
    (engines as readonly string[]).includes(name) ? t(`settings.engineName.${name}`) : engineLabel(name);
}
