import { watch } from 'vue';
import { triggerOf, useCamera } from './use-camera.ts';
import { useFeed } from '../stores/feed.ts';
import { useProject } from '../stores/project.ts';

/** Opens the camera while a feed that needs one runs, whatever screen is open, and lets go of it when it doesn't. */
export function useFeedCamera(): void {
  const feed = useFeed();
  const project = useProject();
  const camera = useCamera();
  let openFor = '';

  watch(
    // Whoever else used the camera (pictures of good parts, setting it up) has let go of it when it has no source.
    [() => feed.running, () => feed.state?.recipeId, () => project.recipes, () => camera.source === null],
    () => {
      const recipe = project.recipes.find((one) => one.id === feed.state?.recipeId);
      const wanted = feed.running && recipe?.source.kind === 'camera' ? recipe : null;
      const key = wanted === null ? '' : `${wanted.id} ${wanted.updatedAt}`;
      if (key === openFor && (key === '' || camera.source !== null)) return;
      openFor = key;
      if (wanted?.source.kind === 'camera') {
        void camera.start(wanted.source, triggerOf(wanted, wanted.source));
      } else camera.stop();
    },
    { immediate: true },
  );
}
