import { computed, ref, watch, type Ref } from 'vue';
import { useI18n } from 'vue-i18n';
import { useCamera } from '../../camera/use-camera.ts';
import { useSaid } from '../../composables/use-said.ts';
import { attempt } from '../../station-client.ts';
import { useFeed } from '../../stores/feed.ts';
import { useProject } from '../../stores/project.ts';

/**
 * What failed, in the person's language, and the one thing to do about it.
 * @param isCamera whether the running feed reads a camera of this window
 * @param start starts the feed anew
 */
export function useFault(isCamera: Ref<boolean>, start: () => Promise<void> | undefined) {
  const { t } = useI18n();
  const { said } = useSaid();
  const feed = useFeed();
  const project = useProject();
  const camera = useCamera();

  const cameraFault = computed(() => (isCamera.value ? camera.fault : null));
  const cameraFaultSince = ref(new Date().toISOString());
  watch(cameraFault, () => (cameraFaultSince.value = new Date().toISOString()));

  /** What the station says of the camera comes as a code. */
  const inWords = (fault: { code: string; message: string; remedy: string | null }) =>
    fault.code.startsWith('camera.')
      ? { message: t(fault.code), remedy: t(fault.code.replace('camera.', 'cameraRemedy.')) }
      : { message: said(fault.message), remedy: fault.remedy === null ? null : said(fault.remedy) };
  const fault = computed(() => {
    const now = feed.state;
    if (now?.state === 'fault' && now.fault !== null) return { ...now.fault, ...inWords(now.fault), since: now.since };
    if (cameraFault.value === null) return null;
    return {
      code: cameraFault.value,
      message: t(`camera.${cameraFault.value}`),
      remedy: t(`cameraRemedy.${cameraFault.value}`),
      acknowledged: false,
      since: cameraFaultSince.value,
    };
  });

  /** The feed goes on by itself once frames come: it isn't started anew, for that would set its counters back. */
  const cameraLost = computed(() => feed.running && feed.state?.fault?.code.startsWith('camera.') === true);
  const action = computed(() => {
    if (feed.state?.state !== 'fault' || (cameraLost.value && feed.state.fault?.acknowledged === true))
      return t('common.tryAgain');
    return feed.state.fault?.acknowledged === true ? t('inspect.startAgain') : t('inspect.acknowledge');
  });
  async function act(): Promise<void> {
    if (feed.state?.state === 'fault' && !feed.state.fault?.acknowledged && project.projectId !== null) {
      const now = await attempt('feed.acknowledge', { projectId: project.projectId });
      if (now !== null) feed.take(now);
    } else if (feed.state?.state === 'fault' && !cameraLost.value) await start();
    else await camera.retry();
  }

  return { fault, cameraFault, action, act };
}
