import { onBeforeUnmount, onMounted, ref } from 'vue';

const dragging = ['dragenter', 'dragover', 'dragleave'] as const;

/**
 * Files dropped anywhere on the window while the caller is on the screen.
 * @param take gets their paths in the order of their names, and whether they are one folder
 * @param wanted whether something dropped now would be taken
 * @returns `over`: files are held above the window
 */
export function useDroppedFiles(take: (paths: string[], isFolder: boolean) => void, wanted = (): boolean => true) {
  const over = ref(false);
  let depth = 0;

  function onDrag(event: DragEvent): void {
    if (!wanted() || event.dataTransfer?.types.includes('Files') !== true) return;
    event.preventDefault();
    if (event.type === 'dragenter') depth++;
    if (event.type === 'dragleave') depth--;
    over.value = depth > 0;
  }

  function onDrop(event: DragEvent): void {
    event.preventDefault();
    depth = 0;
    over.value = false;
    if (!wanted()) return;
    const { files = [], items = [] } = event.dataTransfer ?? {};
    const paths = [...files].map((file) => window.station.pathOf(file)).filter((path) => path !== '');
    if (paths.length === 0) return;
    const isFolder = items.length === 1 && items[0]?.webkitGetAsEntry()?.isDirectory === true;
    take(
      paths.sort((a, b) => a.localeCompare(b, undefined, { numeric: true })),
      isFolder,
    );
  }

  onMounted(() => {
    for (const name of dragging) window.addEventListener(name, onDrag);
    window.addEventListener('drop', onDrop);
  });
  onBeforeUnmount(() => {
    for (const name of dragging) window.removeEventListener(name, onDrag);
    window.removeEventListener('drop', onDrop);
  });

  return over;
}
