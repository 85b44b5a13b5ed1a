import { computed, ref, type Ref } from 'vue';

/** Where the picture lies in its box, CSS pixels. */
export interface PictureFrame {
  left: number;
  top: number;
  width: number;
  height: number;
}

const mostZoom = 16;

/** Zoom and pan of a picture in a box: 1 fits it whole. The point under the pointer stays where it is. */
export function useZoom(
  box: Ref<{ width: number; height: number }>,
  picture: Ref<{ width: number; height: number } | null>,
) {
  const zoom = ref(1);
  const centre = ref({ x: 0.5, y: 0.5 });

  const fit = computed(() => {
    if (picture.value === null) return 0;
    return Math.min(box.value.width / picture.value.width, box.value.height / picture.value.height);
  });
  const frame = computed<PictureFrame>(() => {
    const width = (picture.value?.width ?? 0) * fit.value * zoom.value;
    const height = (picture.value?.height ?? 0) * fit.value * zoom.value;
    return {
      left: box.value.width / 2 - centre.value.x * width,
      top: box.value.height / 2 - centre.value.y * height,
      width,
      height,
    };
  });

  /** Keeps the picture in the box: what fits stays centred, what doesn't leaves no gap. */
  function settle(): void {
    const keep = (at: number, size: number, room: number): number => {
      if (size <= room) return 0.5;
      const half = room / size / 2;
      return Math.min(1 - half, Math.max(half, at));
    };
    const { width, height } = frame.value;
    centre.value = {
      x: keep(centre.value.x, width, box.value.width),
      y: keep(centre.value.y, height, box.value.height),
    };
  }

  /** @param at point of the box that stays where it is, CSS pixels */
  function zoomTo(next: number, at = { x: box.value.width / 2, y: box.value.height / 2 }): void {
    const before = frame.value;
    if (before.width === 0) return;
    const point = { x: (at.x - before.left) / before.width, y: (at.y - before.top) / before.height };
    zoom.value = Math.min(mostZoom, Math.max(1, next));
    const { width, height } = frame.value;
    centre.value = {
      x: point.x - (at.x - box.value.width / 2) / width,
      y: point.y - (at.y - box.value.height / 2) / height,
    };
    settle();
  }

  function pan(dx: number, dy: number): void {
    const { width, height } = frame.value;
    if (width === 0) return;
    centre.value = { x: centre.value.x - dx / width, y: centre.value.y - dy / height };
    settle();
  }

  /** Of a picture larger than its box, shows this point. @param at share of the picture */
  function bring(at: { x: number; y: number }): void {
    if (zoom.value === 1) return;
    centre.value = { x: at.x, y: at.y };
    settle();
  }

  function reset(): void {
    zoom.value = 1;
    centre.value = { x: 0.5, y: 0.5 };
  }

  return { zoom, frame, zoomTo, pan, bring, reset };
}
